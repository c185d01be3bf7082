"""Conversations from the command line: texts as options, or messages in a JSON file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO

import click

from roleforge_llm.errors import MessageError

__all__ = ["conversation_from", "messages_option", "read_messages", "stdin", "system_option"]

_MAX_BYTES = 64 << 20

messages_option = click.option(
    "--messages",
    metavar="FILE|-",
    help='A JSON file with a list of {"role", "content"} objects, or an object with such a list under '
    '"messages"; - reads it from stdin.',
)
system_option = click.option("--system", metavar="TEXT", help="A system message to begin with.")


def read_messages(source: str) -> list[dict[str, object]]:
    """The messages in the file *source*, "-" being stdin. Raises :class:`MessageError` with line and column."""
    name = "stdin" if source == "-" else source
    try:
        data = json.loads(_content(source, name).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise MessageError(f"{name} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise MessageError(f"{name} is not UTF-8: byte {error.start}") from None
    except ValueError:  # an integer of thousands of digits
        raise MessageError(f"{name} holds a number of too many digits") from None
    except RecursionError:
        raise MessageError(f"{name} is nested too deeply") from None
    except OSError as error:
        raise MessageError(f"cannot read {name}: {error.strerror}") from None
    messages: object = data.get("messages") if isinstance(data, dict) else data
    if not isinstance(messages, list):
        raise MessageError(f'{name} must hold a list of messages, or an object with one under "messages"')
    return messages


def _content(source: str, name: str) -> bytes:
    """All of the file, unless it is so large (or endless) that it can be no conversation."""
    if source == "-":
        content = stdin().read(_MAX_BYTES + 1)
    else:
        with Path(source).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise MessageError(f"{name} is larger than 64 MiB")
    return content


def stdin() -> BinaryIO:
    """The bytes of stdin. Raises :class:`MessageError` where it is closed."""
    if sys.stdin is None:
        raise MessageError("stdin is closed; give TEXT, or --messages FILE")
    return sys.stdin.buffer


def conversation_from(
    messages: str | None, system: str | None, user: str | None, assistant: str | None = None
) -> list[dict[str, object]]:
    """The conversation that the options describe: system, the file's messages, user, assistant."""
    found = [] if messages is None else read_messages(messages)
    if system is not None:
        found = [{"role": "system", "content": system}, *found]
    found += [
        {"role": role, "content": text} for role, text in (("user", user), ("assistant", assistant)) if text is not None
    ]
    return found
