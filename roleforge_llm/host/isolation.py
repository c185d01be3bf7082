"""Running a plugin's code so that nothing it does reaches the host."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, MutableSet
from types import FrameType

from roleforge_llm.errors import PluginError, RoleforgeError
from roleforge_llm.host.records import Status
from roleforge_llm.host.streams import STAND_INS

__all__ = ["PluginFault", "blamed", "class_name", "described", "isolated", "logged", "shown"]

_LONGEST_TEXT = 500
_LONGEST_REPR = 60


class PluginFault(Exception):  # recorded, never seen by a caller
    """What a plugin did wrong, in one line, and the status that it has from then on."""

    def __init__(self, text: str, status: Status = "failed") -> None:
        super().__init__(text)
        self.status = status


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Run a plugin's code: whatever it raises becomes a :class:`PluginFault`, SystemExit included.

    Only a Ctrl-C that was really pressed passes as KeyboardInterrupt; one that the plugin raises does not.
    What it prints goes to stderr, because stdout may carry JSON.
    """
    with STAND_INS, _presses_of_ctrl_c() as presses:
        try:
            yield
        except PluginFault:
            raise
        except BaseException as error:
            if presses:
                raise KeyboardInterrupt from error
            raise PluginFault(described(error)) from error


@contextlib.contextmanager
def blamed(what: str) -> Iterator[None]:
    """Run a plugin's code that somebody has asked for: what it raises is told as *what* with the original error.

    Errors of ours pass as they are. Raises :class:`PluginError`.
    """
    try:
        yield
    except RoleforgeError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{what}: {described(error)}") from error


@contextlib.contextmanager
def logged(plugin: str, hook: str, known: MutableSet[tuple[str, str]]) -> Iterator[None]:
    """Run a hook in the middle of a call: what it raises is logged in one line, with a traceback at DEBUG only.

    *known* remembers which hooks failed before: each is an error once, and from then on told at DEBUG. Only
    KeyboardInterrupt passes, because somebody may have pressed Ctrl-C; a hook is no coroutine that is cancelled.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a plugin does
        import logging

        log = logging.getLogger("roleforge_llm")
        details = error if log.isEnabledFor(logging.DEBUG) else None
        level = logging.DEBUG if (plugin, hook) in known else logging.ERROR
        known.add((plugin, hook))
        log.log(level, "plugin %s failed in %s: %s", plugin, hook, described(error), exc_info=details)


def described(error: BaseException) -> str:
    """Type and text of *error* in one printable line, whatever its own methods do."""
    name = class_name(type(error))
    try:
        text = " ".join(str(error).split())[:_LONGEST_TEXT]
    except BaseException:  # noqa: BLE001  # a plugin's exception, and what it raises when it is asked
        text = "its text cannot be read"
    return _printable(f"{name}: {text}" if text else name)


def shown(value: object) -> str:
    """*value* in one short printable line, whatever its own methods do."""
    try:
        return _printable(repr(value)[:_LONGEST_REPR])
    except BaseException:  # noqa: BLE001  # a plugin's object, and what it raises when it is asked
        return f"an object of type {class_name(type(value))}"


def class_name(code: type) -> str:
    """The name of a class, whatever its metaclass says."""
    name: str = type.__dict__["__name__"].__get__(code)
    return name


def _printable(text: str) -> str:
    """*text* with everything escaped that could move a terminal's cursor or is no character."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@contextlib.contextmanager
def _presses_of_ctrl_c() -> Iterator[list[int]]:
    """Gives a list that fills while the block runs; the handler that was there before still does its work."""
    presses: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        presses.append(number)
        if callable(before):
            before(number, frame)

    if not callable(before) or not _handle(note):
        yield presses
        return
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, before)


def _handle(handler: object) -> bool:
    try:
        signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]  # a function of number and frame
    except ValueError:  # not in the main thread, where no Ctrl-C ever arrives
        return False
    return True
