"""A model's own chat template as a format: what the template does not say is read from the model, or probed."""

from __future__ import annotations

from pathlib import Path

import attrs

from roleforge_llm.errors import RoleforgeError, TemplateError
from roleforge_llm.formats.probing import ending_of, marked, probe
from roleforge_llm.formats.sources import CONFIG, DEFAULT, TEMPLATE, TOOL_USE, ModelTemplates, read_model
from roleforge_llm.formats.template import TemplateFormat
from roleforge_llm.messages import Conversation

__all__ = ["completed", "format_of", "model_format"]


def model_format(path: str | Path, template: str = "", name: str = "") -> TemplateFormat:
    """The template at *path* as a format.

    *path* is a model's ``tokenizer_config.json``, ``chat_template.jinja`` or ``.gguf`` file, the folder of one of
    the first two, or any other template file, native or not. *template* is the name of one of a model's several
    templates, *name* the format's own. Raises :class:`FormatNotFound`, :class:`TemplateError`.
    """
    path = Path(path)
    if path.suffix in {".json", ".gguf"} or path.is_dir():
        return format_of(read_model(path), name or _name(path), template)
    made = TemplateFormat.from_file(path, name or None)
    if made.dialect == "native":
        return made
    return format_of(read_model(path), name or _name(path), template) if path.name == TEMPLATE else completed(made)


def _name(path: Path) -> str:
    if path.name in {CONFIG, TEMPLATE}:
        return path.absolute().parent.name or path.stem
    return path.absolute().name if path.is_dir() else path.stem


def format_of(model: ModelTemplates, name: str, template: str = "") -> TemplateFormat:
    """The format *name* of the model's template called *template*: by default "default", and "tool_use" for tools.

    Raises :class:`TemplateError` for a template that is not there, or that is none.
    """
    only = next(iter(model.texts)) if len(model.texts) == 1 else DEFAULT
    chosen = template or (DEFAULT if DEFAULT in model.texts else only)
    if (text := model.texts.get(chosen)) is None:
        raise TemplateError(f"{model.where}: {_missing(model, chosen)}")
    made = TemplateFormat.from_text(name, text, dialect="hf", filename=model.where)
    tool_text = "" if template else model.texts.get(TOOL_USE, "")
    return completed(attrs.evolve(made, tool_text=tool_text, path=model.path), model)


def _missing(model: ModelTemplates, template: str) -> str:
    if not model.texts:
        return f"has no chat template; give the model's {TEMPLATE}, or the name of a format"
    names = ", ".join(f"#{name}" for name in model.texts)
    return f"has no chat template {template!r:.60}; put one of its names behind the path: {names}"


def completed(made: TemplateFormat, model: ModelTemplates | None = None) -> TemplateFormat:
    """*made*, in the hf dialect, with what its template does not say: read from *model*, or found by probing."""
    if model is not None:
        made = attrs.evolve(made, bos_token=model.bos_token, eos_token=model.eos_token, control_tokens=model.tokens)
    around = probe(made)
    ending = ending_of(around, made.eos_token, made.control_tokens)
    # A tokenizer that adds no BOS leaves the template's the only one, which sending must not drop.
    writes_bos = _writes_bos(made) and (model is None or model.adds_bos is not False)
    return attrs.evolve(
        made,
        stop=ending.stop,
        reply_prefix=around.reply_prefix if around is not None else "",
        reply_suffix=ending.reply_suffix,
        bos="template" if writes_bos else "server",
    )


def _writes_bos(made: TemplateFormat) -> bool:
    try:
        return bool(made.bos_token) and made.render(Conversation(marked("user"))).startswith(made.bos_token)
    except RoleforgeError:
        return False
