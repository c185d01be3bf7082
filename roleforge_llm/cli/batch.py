"""``batch``: a file of conversations in, a file of replies out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roleforge_llm.cli.options import Settings, every_command, json_option

if TYPE_CHECKING:
    from roleforge_llm.batch.admission import Concurrency
    from roleforge_llm.cli.batch_modes import Mode

__all__ = ["batch"]


def _concurrency(_: click.Context, __: click.Parameter, value: str) -> Concurrency:
    if value == "auto":
        return "auto"
    if value.isascii() and value.isdigit() and int(value) > 0:
        return int(value)
    raise click.BadParameter(f"{value!r} is neither a whole number from 1 nor auto")


@click.command()
@every_command
@click.argument("source", metavar="IN.jsonl|-")
@click.option("-o", "--output", metavar="OUT.jsonl|-", required=True, help="Where the results go; - is stdout.")
@click.option("--profile", metavar="NAME", help="The profile of rows that name none.")
@click.option(
    "--concurrency", metavar="N|auto", default="auto", callback=_concurrency, help="Rows at once; auto finds it out."
)
@click.option("--max-concurrency", metavar="N", type=click.IntRange(1), default=256, help="The most for auto (256).")
@click.option("--limit", "limits", metavar="PROFILE=N", multiple=True, help="Requests at once on one profile.")
@click.option("--in-order", is_flag=True, help="Write the results in the order of the rows.")
@click.option("--resume", is_flag=True, help="Go on with an output that was interrupted.")
@click.option("--retry-failed", is_flag=True, help="With --resume: ask again for the rows that have failed.")
@click.option("--overwrite", is_flag=True, help="Replace an output that is there already.")
@click.option(
    "--grace", metavar="SECONDS", type=click.FloatRange(0), default=30.0, help="For rows under way after Ctrl-C (30)."
)
@click.option("--render-only", is_flag=True, help="Write prompts instead of replies; nothing is sent.")
@click.option("--format", "format_name", metavar="FORMAT", help="With --render-only: a prompt format for all rows.")
@json_option
@click.pass_obj
def batch(  # noqa: PLR0917  # one parameter for each option
    settings: Settings,
    source: str,
    output: str,
    profile: str | None,
    concurrency: Concurrency,
    max_concurrency: int,
    limits: tuple[str, ...],
    grace: float,
    format_name: str | None,
    *,
    in_order: bool,
    resume: bool,
    retry_failed: bool,
    overwrite: bool,
    render_only: bool,
    as_json: bool,
) -> None:
    """Get a reply for every row of a file.

    A row is an object {"id", "messages", ...}, or a request as OpenAI's batches have it. Every row of the input has one
    row in the output: a reply, or what is wrong. The exit code is 0 if all rows have a reply, 1 if some have none or
    the output cannot be written, 2 for a wrong usage or configuration, and 130 after Ctrl-C (143 after SIGTERM).
    """
    from roleforge_llm.batch.inputs import Input
    from roleforge_llm.batch.journal import Journal
    from roleforge_llm.cli.batch_modes import Asking, Rendering
    from roleforge_llm.cli.batch_run import BatchRun

    _check(output, format_name, resume=resume, overwrite=overwrite, render_only=render_only, as_json=as_json)
    if retry_failed and not resume:
        raise click.UsageError("--retry-failed needs --resume: it goes on with an output that has failed rows")
    found = _limits(limits)
    with Input.open(source) as opened:
        if opened.is_same_file(output):
            raise click.UsageError("the output is the input; name another file")
        mode: Mode = (
            Rendering(settings, profile, format_name)
            if render_only
            else Asking(settings, profile, concurrency, max_concurrency, found, in_order=in_order, grace=grace)
        )
        with Journal.open(
            output, resume=resume, retry_failed=retry_failed, overwrite=overwrite, block=mode.block
        ) as journal:
            code = BatchRun(mode, opened, journal, as_json=as_json).run()
    raise click.exceptions.Exit(code)


def _check(
    output: str, format_name: str | None, *, resume: bool, overwrite: bool, render_only: bool, as_json: bool
) -> None:
    if resume and overwrite:
        raise click.UsageError("--resume goes on with the output, --overwrite replaces it; give one of them")
    if format_name is not None and not render_only:
        raise click.UsageError("--format needs --render-only; what is sent is in the format of its profile")
    if as_json and output == "-":
        raise click.UsageError("--json prints on stdout, where -o - writes the results; write those to a file")


def _limits(pairs: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for pair in pairs:
        name, _, number = pair.rpartition("=")
        if not name or not (number.isascii() and number.isdigit()) or int(number) < 1:
            raise click.BadParameter(f"{pair!r} is not of the form PROFILE=N, with N from 1", param_hint="--limit")
        found[name] = int(number)
    return found
