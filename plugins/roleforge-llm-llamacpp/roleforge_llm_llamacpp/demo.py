"""``roleforge-llm demo``: the main job on a model that comes along; no server, key or network.

The story goes to stderr, the reply to stdout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

import roleforge_llm as rf

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["demo"]

FORMATS = ("alpaca", "chatml", "llama2", "vicuna")


@click.command()
@click.argument("text", default="Tell me a joke.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="The prompt format of the embedded model's profile.",
)
def demo(text: str, format_name: str) -> None:
    """Show the main job with no server, key or network.

    TEXT goes to a server that refuses connections, is retried with growing waits, and falls back to a tiny
    model that is embedded. That one only says which prompt format it has recognised.
    """
    messages = [rf.Message("system", "You are a helpful assistant."), rf.Message("user", text)]
    with _dead_server() as url, _without_log(), rf.Client(_config(url, format_name), _host()) as client:
        _introduce(client, url, messages)
        _converse(client, messages)


class Narrator:
    """A plugin that tells what happens in a call."""

    @rf.hookimpl
    def roleforge_event(self, event: rf.Event) -> None:
        """Tell about failures, waits and the fall-back."""
        if event.kind == "attempt-failed":
            _tell(f"{event.profile}, attempt {event.number}: {event.error}")
        elif event.kind == "retry-scheduled":
            _tell(f"    waiting {event.wait:g} s")
        elif event.kind == "fell-back":
            _tell(f"falling back to {event.next_profile}, with the prompt in its own format")


def _host() -> rf.PluginHost:
    return rf.PluginHost(plugins=[Narrator()])


def _config(url: str, format_name: str) -> rf.Config:
    primary = rf.Profile(
        "primary",
        base_url=url,
        model="nobody-there",
        template="chatml",
        fallback_profiles=("embedded",),
        retry_config=rf.RetryConfig(max_retries=3, initial_delay_ms=250, backoff_multiplier=2, jitter_factor=0),
    )
    embedded = rf.Profile(
        "embedded", backend="llamacpp", model="canary", template=format_name, sampler=rf.Sampler(temperature=0)
    )
    return rf.Config({profile.name: profile for profile in (primary, embedded)}, default_profile="primary")


def _introduce(client: rf.Client, url: str, messages: Sequence[rf.Message]) -> None:
    template = client.config.profile("embedded").template
    _tell(f"profile primary:  {url}, where nobody listens; 3 retries, then the fall-back")
    _tell(f"profile embedded: llama.cpp in a child process, a tiny model, prompt format {template}")
    _tell(f"prompt for embedded: {client.explain(messages, 'embedded').prompt!r}")
    _tell("")


def _converse(client: rf.Client, messages: Sequence[rf.Message]) -> None:
    with client.stream(messages) as stream:
        for piece in stream:
            click.echo(piece, nl=False)
        click.echo()
    _tell("")
    _tell(_summary(stream.completion))


def _summary(completion: rf.Completion) -> str:
    attempts = completion.attempts
    failed = Counter(attempt.profile for attempt in attempts if not attempt.ok)
    told = [f"{count} attempts on {profile} failed" for profile, count in failed.items()]
    waited = sum(attempt.waited for attempt in attempts)
    return f"{', '.join(told)} ({waited:g} s of waiting); the reply came from {completion.profile}"


@contextmanager
def _dead_server() -> Iterator[str]:
    """The URL of a port that refuses connections: held, so that nobody else can listen on it meanwhile."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@contextmanager
def _without_log() -> Iterator[None]:
    """Keep the log, which would say everything a second time, off the terminal."""
    import logging

    loggers = [logging.getLogger(name) for name in ("roleforge_llm", "stamina")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _tell(line: str) -> None:
    click.echo(line, err=True)
