"""Every public name and where the reference has it: the pages in docs/api say which names belong together."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import attrs

from tests.docs.markdown import REPOSITORY

__all__ = ["Group", "PublicName", "groups"]

API = REPOSITORY / "docs" / "api"
_MODULE = re.compile(r"^\.\. (?:currentmodule|automodule):: (?P<module>[\w.]+)")
_NAME = re.compile(r"^\.\. auto(?:class|exception|function|data):: (?:[\w.]+\.)?(?P<name>\w+)(?P<hidden>\(\))?$")


@attrs.frozen
class PublicName:
    """One name, and the module that it is imported from. *constructed* is false for classes that only we make."""

    module: str
    name: str
    constructed: bool = True

    @property
    def value(self) -> object:
        """What the name stands for."""
        return getattr(importlib.import_module(self.module), self.name)


@attrs.frozen
class Group:
    """One page of docs/api."""

    path: Path
    title: str
    names: tuple[PublicName, ...]

    @classmethod
    def read(cls, path: Path) -> Group:
        lines = path.read_text(encoding="utf-8").splitlines()
        names, module = [], ""
        for line in lines:
            if (found := _MODULE.match(line)) is not None:
                module = found["module"]
            elif (found := _NAME.match(line)) is not None:
                names.append(PublicName(module, found["name"], found["hidden"] is None))
        return cls(path, lines[0], tuple(names))


def groups() -> list[Group]:
    """All groups, in the order in which a reader meets the subjects."""
    found = [Group.read(path) for path in API.glob("*.rst")]
    order = [line.strip() for line in (REPOSITORY / "docs" / "conf.py").read_text(encoding="utf-8").splitlines()]
    return sorted(found, key=lambda group: order.index(f"api/{group.path.stem}"))
