"""From plain values to the classes of a configuration: types, ranges and keys, everything wrong at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter
from cattrs.gen import make_dict_structure_fn

from roleforge_llm.config import values
from roleforge_llm.config.schema import Check, ProfileTable, Root, SamplerTable, elsewhere, spellings
from roleforge_llm.config.values import UnfitError, Wrong, unfit
from roleforge_llm.config.wording import joined, kind_of, shown
from roleforge_llm.profiles import Secret, bounds_of

__all__ = ["UnfitError", "fields_given", "read_root", "read_sampler"]

Hook: TypeAlias = Callable[[Any, Any], Any]


def read_root(data: Mapping[object, object]) -> Root:
    """The whole configuration. Raises :class:`UnfitError`."""
    return _converter().structure(data, Root)


def read_sampler(data: Mapping[str, object]) -> SamplerTable:
    """A sampler's table. Raises :class:`UnfitError`."""
    return _converter().structure(data, SamplerTable)


def fields_given(data: Mapping[str, object]) -> list[str]:
    """Which fields of a sampler the table *data* sets."""
    return [spellings(SamplerTable)[key] for key in data]


@functools.cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=True)
    for kind, read in (
        (str, values.text),
        (bool, values.switch),
        (int, values.integer),
        (float, values.number),
        (Secret, values.secret),
    ):
        converter.register_structure_hook(kind, read)
    converter.register_structure_hook_func(lambda kind: kind is object, values.plain)
    converter.register_structure_hook_func(_made_of(Literal), values.choice)
    for predicate, hook_of in (
        (_made_of(tuple), _list_of),
        (_made_of(Mapping), _mapping_of),
        (_made_of(Annotated), _restricted),
        (attrs.has, _table_of),
    ):
        converter.register_structure_hook_factory(predicate, functools.partial(hook_of, converter))
    return converter


def _made_of(origin: object) -> Callable[[Any], bool]:
    def check(kind: Any) -> bool:
        found: object = get_origin(kind)
        return found is origin

    return check


def _table_of(converter: Converter, kind: type) -> Hook:
    return Table(kind, converter).hook


def _list_of(converter: Converter, kind: Any) -> Hook:
    inner = get_args(kind)[0]
    read = converter.get_structure_hook(inner)

    def hook(value: object, _: object) -> object:
        if not isinstance(value, list | tuple):
            raise unfit(f"must be a list, not {shown(value)}")
        return tuple(values.every(value, lambda item: read(item, inner)))

    return hook


def _mapping_of(converter: Converter, kind: Any) -> Hook:
    inner = get_args(kind)[1]
    if inner is ProfileTable:
        return _profiles(Table(ProfileTable, converter))
    read = converter.get_structure_hook(inner)

    def hook(value: object, _: object) -> object:
        if not isinstance(value, Mapping):
            raise unfit(f"must be a table, not {kind_of(value)}")
        return values.each(
            value.items(), lambda item: read(item, inner), values.header if inner is Secret else values.key
        )

    return hook


def _profiles(table: Table) -> Hook:
    def hook(value: object, _: object) -> object:
        if not isinstance(value, Mapping):
            raise unfit(f"must be a table of profiles, not {kind_of(value)}")
        named = ((name, (name, settings)) for name, settings in value.items())
        return values.each(named, lambda each: table.read(each[1], name=each[0]), values.profile_name)

    return hook


def _restricted(converter: Converter, kind: Any) -> Hook:
    base, *rules = get_args(kind)
    read, bounds = converter.get_structure_hook(base), bounds_of(kind)
    checks = [rule.fault for rule in rules if isinstance(rule, Check)]

    def hook(value: object, _: object) -> object:
        found = read(value, base)
        if bounds is not None and not bounds.admits(found):
            raise unfit(f"must be {bounds.describe()}, not {shown(value)}")
        if reasons := [reason for check in checks if (reason := check(found))]:
            raise unfit(reasons[0])
        return found

    return hook


class Table:
    """Reads one attrs class from a table whose keys may be spelled in several ways."""

    def __init__(self, kind: type, converter: Converter) -> None:
        self._kind = kind
        self._spellings = spellings(kind)
        self._structure: Hook = make_dict_structure_fn(kind, converter)
        self._nullable = {field.name for field in attrs.fields(kind) if type(None) in get_args(field.type)}

    def hook(self, value: object, _: object) -> object:
        """The table as cattrs asks for it."""
        return self.read(value)

    def read(self, value: object, **given: object) -> object:
        """The object that *value* describes; *given* are fields that do not stand in the table. Raises UnfitError."""
        if not isinstance(value, Mapping):
            raise unfit(f"must be a table, not {kind_of(value)}")
        written, wrongs = self._fold(value)
        fields = {field: value[key] for field, key in written.items()} | given
        try:
            found = self._structure(fields, self._kind)
        except ClassValidationError as error:
            wrongs += _wrongs_of(error, written)
        if wrongs:
            raise UnfitError(wrongs)
        return found

    def _fold(self, table: Mapping[object, object]) -> tuple[dict[str, str], list[Wrong]]:
        """Which field is written under which key. Null stands for "not given" where it is no value of the field."""
        written: dict[str, str] = {}
        wrongs: list[Wrong] = []
        for key, value in table.items():
            field = self._spellings.get(key) if isinstance(key, str) else None
            if field is None:
                wrongs.append(self._unknown(str(key)))
            elif field in written:
                wrongs.append(Wrong(joined("", str(key)), f"is the same key as {written[field]}; keep one of them"))
            elif value is not None or field in self._nullable:
                written[field] = str(key)
        return written, wrongs

    def _unknown(self, key: str) -> Wrong:
        path, below = joined("", key), elsewhere(self._kind)
        if key in below:
            return Wrong(path, f"unknown key here; it belongs further down, as {below[key]}")
        return Wrong(path, "unknown key", key, {**below, **dict(zip(self._spellings, self._spellings, strict=True))})


def _wrongs_of(error: ClassValidationError, written: Mapping[str, str]) -> list[Wrong]:
    found: list[Wrong] = []
    grouped, others = error.group_exceptions()
    for cause, note in [*grouped, *((other, None) for other in others)]:
        if note is None or not isinstance(cause, UnfitError):  # a fault of this module, not of the file
            raise cause
        found += [wrong.below(written[note.name]) for wrong in cause.wrongs]
    return found
