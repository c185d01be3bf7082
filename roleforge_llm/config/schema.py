"""The tables that a file may hold, and the spellings of their keys."""

import functools
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

import attrs

from roleforge_llm.config.model import PluginSettings
from roleforge_llm.profiles import Profile, RetryConfig, Sampler, Timeouts, url_fault

__all__ = ["Check", "ProfileTable", "Root", "SamplerTable", "elsewhere", "spellings"]

_FURTHER_SPELLINGS = {"base_url": ("baseURL",), "max_tokens": ("max_completion_tokens", "maxCompletionTokens")}
_NESTED = {"sampler": Sampler, "retryConfig": RetryConfig, "timeouts": Timeouts}


@attrs.frozen
class Check:
    """A rule written into a field's type: *fault* says what is wrong with a value, None if nothing is."""

    fault: Callable[[Any], str | None]


def _variable_fault(name: str) -> str | None:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return None
    return "must be the name of an environment variable, such as OPENAI_API_KEY (the value is not shown)"


def _template_fault(template: str) -> str | None:
    parts = re.split(r"[/\\]", template)
    if ".." in parts and "{" not in template and not re.search(r"\.[A-Za-z]\w*$", parts[-1]):
        return "is neither the name of a format nor the path of a template file, such as ../formats/mine.jinja"
    return None


def _replies_fault(number: int) -> str | None:
    return None if number == 1 else f"must be 1, not {number!r:.60}: a call gives one reply"


@attrs.frozen
class SamplerTable(Sampler):
    """A sampler as files write it: RoleForge's ``forceJson`` and ``n`` stand beside our own keys."""

    force_json: bool = False
    n: Annotated[int, Check(_replies_fault)] | None = None


@attrs.frozen
class ProfileTable(Profile):
    """A profile as files write it. RoleForge's *stream* has no meaning here: the call decides."""

    sampler: SamplerTable = attrs.field(factory=SamplerTable)
    base_url: Annotated[str, Check(url_fault)] | None = None
    api_key_env: Annotated[str, Check(_variable_fault)] | None = None
    template: Annotated[str, Check(_template_fault)] | None = None
    stream: bool | None = None


@attrs.frozen
class Root:
    """The whole file, without the sections that belong to others."""

    profiles: Mapping[str, ProfileTable] = attrs.field(factory=dict)
    default_profile: str | None = None
    plugins: PluginSettings = attrs.field(factory=PluginSettings)
    strict_templates: bool = False


@functools.cache
def spellings(table: type) -> Mapping[str, str]:
    """Every accepted key of *table*, and the field that it stands for. A profile's name is no key of its table."""
    found = {}
    for field in attrs.fields(table):
        if field.name != "name":
            written = (field.name, _camel(field.name), *_FURTHER_SPELLINGS.get(field.name, ()))
            found.update(dict.fromkeys(written, field.name))
    return MappingProxyType(found)


@functools.cache
def elsewhere(table: type) -> Mapping[str, str]:
    """Keys that are often written into *table* and belong one table further down, with their right path."""
    if table is not ProfileTable:
        return MappingProxyType({})
    return MappingProxyType({key: f"{name}.{key}" for name, nested in _NESTED.items() for key in spellings(nested)})


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
