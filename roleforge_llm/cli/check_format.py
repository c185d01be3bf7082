"""``check-format``: whether a prompt format is the one that a model or a server has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import click

from roleforge_llm.cli.options import Settings, every_command, json_option
from roleforge_llm.cli.output import print_json, say
from roleforge_llm.cli.references import reference
from roleforge_llm.errors import RoleforgeError

if TYPE_CHECKING:
    from roleforge_llm.formats import Comparison, Difference, PromptFormat

__all__ = ["check_format"]


@click.command("check-format")
@every_command
@click.argument("name", metavar="FORMAT", required=False)
@click.option("--against", metavar="WHAT", help="What is right: a server's URL, a profile, or a model's file.")
@click.option("--guess", metavar="WHAT", help="Name the known formats that have the same bytes as a server or file.")
@json_option
@click.pass_obj
def check_format(
    settings: Settings, name: str | None, against: str | None, guess: str | None, *, as_json: bool
) -> None:
    """Compare a format with a server's or model's.

    It is compared, byte for byte, in what it makes of conversations. WHAT is the URL of a llama.cpp server, the name of
    a profile, a tokenizer_config.json, a .gguf file, the folder of a model, or a .jinja template. The exit code is 0 if
    all bytes are the same, else 1.
    """
    if guess is not None and name is None and against is None:
        found = _guess(settings, guess, as_json=as_json)
    elif guess is None and name is not None and against is not None:
        found = _check(settings, name, against, as_json=as_json)
    else:
        raise click.UsageError("give FORMAT --against WHAT, or --guess WHAT")
    if not found:
        raise click.exceptions.Exit(1)


def _check(settings: Settings, name: str, against: str, *, as_json: bool) -> bool:
    from roleforge_llm.formats import compare, find_format

    ours = find_format(name, settings.host(), settings.template_folders(), strict=True).format
    with reference(settings, against) as theirs:
        found = compare(ours, theirs)
    if as_json:
        print_json({"format": ours.name, "against": against, "equal": found.equal, **_plain(found)})
    else:
        _tell(found, ours.name, against)
    return found.equal


def _plain(found: Comparison) -> Mapping[str, object]:
    difference = attrs.asdict(found.differences[0]) if found.differences else None
    return {
        "compared": list(found.compared),
        "skipped": dict(found.skipped),
        "difference": difference,
        "different": [each.conversation for each in found.differences],
        "warnings": list(found.warnings),
    }


def _tell(found: Comparison, name: str, against: str) -> None:
    for conversation, reason in found.skipped.items():
        say(f"not compared: {conversation}, which {against} refuses ({reason})")
    for warning in found.warnings:
        say(f"warning: {warning}")
    if found.equal:
        click.echo(f"equal: {name} and {against}, byte for byte, in {len(found.compared)} conversations")
    else:
        first = found.differences[0]
        click.echo(
            f"different: {name} and {against}, in {len(found.differences)} of {len(found.compared)} conversations; "
            f"with {first.conversation} from byte {first.byte} on:"
        )
        _show(first, name, against)


def _show(difference: Difference, name: str, against: str) -> None:
    """Both sides, one above the other, with a mark under the first character that differs."""
    width = max(len(name), len(against))
    before = _escaped(difference.before)
    for label, text in ((name, difference.ours), (against, difference.theirs)):
        click.echo(f"  {label:<{width}}  {before}{_escaped(text) or '(end)'}")
    click.echo(" " * (width + 4 + len(before)) + "^")


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _guess(settings: Settings, against: str, *, as_json: bool) -> bool:
    with reference(settings, against) as theirs:
        matches, nearest = _matches(_known(settings), theirs)
    if as_json:
        print_json({"against": against, "matches": matches, "nearest": nearest})
    elif matches:
        for name in matches:
            click.echo(name)
    else:
        click.echo(f"no known format has the bytes of {against}" + (f"; the nearest is {nearest}" if nearest else ""))
    return bool(matches)


def _matches(known: Sequence[PromptFormat], theirs: PromptFormat) -> tuple[list[str], str | None]:
    """The names of those of *known* that are equal to *theirs*, and the nearest one if there are none.

    Those without warnings come first, and among them the default format.
    """
    from roleforge_llm.formats import DEFAULT_FORMAT, compare

    matches: list[tuple[int, bool, str]] = []
    others: list[tuple[int, int, str]] = []
    for each in known:
        found = compare(each, theirs, lint=False)
        if found.equal:
            matches.append((len(found.warnings), each.name != DEFAULT_FORMAT, each.name))
        else:
            others.append((len(found.differences), -min(each.byte for each in found.differences), each.name))
    nearest = min(others)[2] if others and not matches else None
    return [name for *_, name in sorted(matches)], nearest


def _known(settings: Settings) -> list[PromptFormat]:
    """Every format that can be used by name and is not broken."""
    from roleforge_llm.formats import find_format

    host, folders = settings.host(), settings.template_folders()
    own = [file.stem for folder in folders for file in sorted(folder.glob("*.jinja"))]
    found: list[PromptFormat] = []
    for name in dict.fromkeys((*host.format_names(), *own)):
        try:
            found.append(find_format(name, host, folders, strict=True).format)
        except RoleforgeError as error:
            say(f"warning: {error}")
    return found
