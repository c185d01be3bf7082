"""docs/CONFIGURATION.md says what the code does."""

import re
from pathlib import Path

import attrs
import pytest

from roleforge_llm import ConfigError, RetryConfig, Timeouts
from roleforge_llm.config import PluginSettings, parse_config
from roleforge_llm.config.reading import FOREIGN_SECTIONS
from roleforge_llm.config.schema import ProfileTable, Root, SamplerTable, spellings
from roleforge_llm.errors import Fault
from roleforge_llm.profiles import bounds_of

PAGE = (Path(__file__).parents[2] / "docs" / "CONFIGURATION.md").read_text()
TABLES = [Root, ProfileTable, SamplerTable, RetryConfig, Timeouts, PluginSettings]
SECTIONS = {
    "Top level": Root,
    "A profile": ProfileTable,
    "Sampler": SamplerTable,
    "Retries": RetryConfig,
    "Time limits": Timeouts,
    "Plugins": PluginSettings,
}
ROWS = {match[1]: match[0] for match in re.finditer(r"^\| `(\w+)` \|.*$", PAGE, flags=re.MULTILINE)}


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_documented_in_every_spelling(table: type) -> None:
    assert [key for key in spellings(table) if f"`{key}`" not in PAGE] == []


@pytest.mark.parametrize(("heading", "table"), SECTIONS.items())
def test_every_documented_key_exists_under_its_table(heading: str, table: type) -> None:
    section = re.split(r"^##+ ", PAGE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| `(\w+)` \|(?: `(\w+)` \|)?", section, flags=re.MULTILINE)
    assert {key for key, _ in rows} == set(spellings(table).values())
    assert {camel for _, camel in rows if camel} <= set(spellings(table))


def test_every_section_of_others_is_documented() -> None:
    assert [name for name in FOREIGN_SECTIONS if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("table", [SamplerTable, RetryConfig])
def test_every_range_is_documented(table: type) -> None:
    for field in attrs.fields(table):
        if (bounds := bounds_of(field.type)) is not None:
            high = f"{bounds.high:.15g}".replace("9.22337203685478e+18", "2^63 - 1")
            assert f"{bounds.low:g} to {high} |" in ROWS[field.name]


@pytest.mark.parametrize("table", [RetryConfig, Timeouts])
def test_every_default_is_documented(table: type) -> None:
    for field in attrs.fields(table):
        shown = "no limit" if field.default is None else f"{field.default:g}"
        assert f"| {shown} |" in ROWS[field.name]


def test_the_faults_shown_are_those_that_happen() -> None:
    local = {
        "sampler": {"tempature": 1, "topP": 1, "top_p": 1, "stop": "###"},
        "temperature": 1,
        "retryConfig": {"maxRetries": -1},
        "fallbackProfiles": ["bakcup"],
        "baseURL": "localhost",
        "apiKey": "key ",
    }
    found: set[Fault] = set()
    for settings in (local, {"fallbackProfiles": ["local"]}, {"apiKey": "${LOCAL_KEY"}):
        with pytest.raises(ConfigError) as caught:
            parse_config({"profiles": {"local": settings, "backup": {}}})
        found |= set(caught.value.faults)
    for settings in ({"apiKey": "${LOCAL_KEY}"}, {"apiKeyEnv": "LOCAL_KEY"}):
        found |= set(parse_config({"profiles": {"local": settings}}, environ={}).faults["local"])
    assert [str(fault) for fault in found if f"| `{fault}` |" not in PAGE] == []
    assert len(found) == PAGE.count("| `profiles.local.")
