"""What a format is compared with: a server, or a model's file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from roleforge_llm.cli.options import Settings
from roleforge_llm.cli.output import say
from roleforge_llm.errors import ConfigError

if TYPE_CHECKING:
    from roleforge_llm.config import Config
    from roleforge_llm.formats import PromptFormat
    from roleforge_llm.profiles import Profile

__all__ = ["reference"]


@contextmanager
def reference(settings: Settings, what: str) -> Iterator[PromptFormat]:
    """What *what* stands for, as a format: the rendering of a server, or a template that is rendered here."""
    from roleforge_llm.formats import find_format, model_format

    if Path(what).exists():
        yield model_format(what)
    elif (profile := _profile(settings, what)) is not None:
        with _of_server(settings, profile, what) as found:
            yield found
    else:
        yield find_format(what, settings.host(), settings.template_folders(), strict=True).format


def _profile(settings: Settings, what: str) -> Profile | None:
    """The profile that is called *what*, or one for the URL *what*; None where it is neither.

    A URL gets the key and headers of the profile that leads to the same server, if there is one.
    """
    from roleforge_llm.profiles import Profile
    from roleforge_llm.transport import origin_of

    config = _config(settings)
    known = config.profiles if config is not None else {}
    if not what.startswith(("http://", "https://")):
        found = known.get(what)
    else:
        same = (each for each in known.values() if each.base_url and origin_of(each.base_url) == origin_of(what))
        try:
            found = attrs.evolve(next(same, Profile(what)), base_url=what)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    if found is not None and config is not None and (faults := config.faults.get(found.name)):
        raise ConfigError(faults, str(config.source))
    return found


def _config(settings: Settings) -> Config | None:
    from roleforge_llm.config import find_config, load_config

    try:
        path = find_config(settings.config)
        return None if path is None else load_config(path)
    except ConfigError as error:
        say(f"warning: {error}; going on without it")
        return None


@contextmanager
def _of_server(settings: Settings, profile: Profile, what: str) -> Iterator[PromptFormat]:
    """The server's own rendering where it offers that, else its template, rendered here."""
    from roleforge_llm.client.core import Core, closing
    from roleforge_llm.config import Config
    from roleforge_llm.formats import ServerRendering, served_format
    from roleforge_llm.messages import Message

    core = Core(Config({profile.name: profile}, profile.name), settings.host())
    try:
        backend = core.backend(profile.backend)
        template = backend.server_template(profile)
        if backend.server_prompt(profile, [Message("user", "Hello")]) is None:
            yield served_format(template, what)
        else:
            bos_token = template.bos_token if template is not None else ""
            yield ServerRendering(lambda messages: backend.server_prompt(profile, messages), bos_token)
    finally:
        for made in core.made_backends():
            with closing(made):
                made.close()
