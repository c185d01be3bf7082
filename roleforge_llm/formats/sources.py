"""What a model brings along: its chat templates and tokens, from its tokenizer's files or its GGUF file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from roleforge_llm.errors import FormatNotFound, TemplateError
from roleforge_llm.formats.gguf import GgufValue, read_gguf

__all__ = ["CONFIG", "DEFAULT", "TEMPLATE", "TOOL_USE", "ModelTemplates", "read_model"]

DEFAULT, TOOL_USE = "default", "tool_use"

CONFIG, TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
_MORE_TEMPLATES = "additional_chat_templates"
_LONGEST_FILE = 64 * 1024 * 1024
_GGUF_TEMPLATE = "tokenizer.chat_template"
_GGUF_KEYS = {
    f"tokenizer.ggml.{name}" for name in ("tokens", "token_type", "bos_token_id", "eos_token_id", "add_bos_token")
}
_CONTROL, _USER_DEFINED = 3, 4
"""Types of tokens in a GGUF file."""


@attrs.frozen
class ModelTemplates:
    """What a model brings along: its chat templates by name, and the tokens that they are given or made of.

    *where* stands in error messages, *path* is the file. *tokens* are the tokenizer's markers. *adds_bos*
    is whether the tokenizer puts BOS before a text, None where it does not say.
    """

    where: str
    texts: Mapping[str, str]
    bos_token: str = ""
    eos_token: str = ""
    tokens: tuple[str, ...] = ()
    adds_bos: bool | None = None
    path: Path | None = None


def read_model(path: Path) -> ModelTemplates:
    """The chat templates of the model at *path*. Raises :class:`FormatNotFound`, :class:`TemplateError`."""
    if path.is_dir():
        return _read_folder(path, _config_in(path), path)
    if path.suffix == ".gguf":
        return _read_gguf(path)
    if path.name == TEMPLATE:
        return _read_folder(path.parent, {**_config_in(path.parent), "chat_template": _read_text(path)}, path)
    return _read_folder(path.parent, _read_json(path), path)


def _config_in(folder: Path) -> Mapping[str, object]:
    file = folder / CONFIG
    return _read_json(file) if file.is_file() else {}


def _read_folder(folder: Path, config: Mapping[str, object], path: Path) -> ModelTemplates:
    """What *config*, a tokenizer's configuration, and the files beside it say; as in transformers, files win."""
    special = folder / "special_tokens_map.json"
    named = {**(_read_json(special) if special.is_file() else {}), **_given(config)}
    texts = dict(_templates(config.get("chat_template"), str(path)))
    if (file := folder / TEMPLATE).is_file():
        texts[DEFAULT] = _read_text(file)
    texts |= {file.stem: _read_text(file) for file in sorted((folder / _MORE_TEMPLATES).glob("*.jinja"))}
    adds_bos = config.get("add_bos_token")
    return ModelTemplates(
        where=str(path),
        texts=texts,
        bos_token=_token(named.get("bos_token")),
        eos_token=_token(named.get("eos_token")),
        tokens=_markers(named),
        adds_bos=adds_bos if isinstance(adds_bos, bool) else None,
        path=path,
    )


def _given(config: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in config.items() if value is not None}


def _templates(given: object, where: str) -> Iterable[tuple[str, str]]:
    """The templates by name of ``chat_template``: one text, a list of objects with name and template, or a table."""
    if given is None:
        return
    if isinstance(given, str):
        yield DEFAULT, given
        return
    if isinstance(given, dict):
        given = [{"name": name, "template": text} for name, text in given.items()]
    for entry in given if isinstance(given, list) else [given]:
        name, text = (entry.get("name"), entry.get("template")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(text, str):
            raise TemplateError(f"{where}: chat_template is neither a text nor a list of templates with their names")
        yield name, text


def _token(value: object) -> str:
    """A token as configurations write it: its text, or an object with the text under ``content``."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else ""


def _markers(config: Mapping[str, object]) -> tuple[str, ...]:
    """The tokenizer's added tokens that are markers: the special ones, and the others of a marker's shape."""
    added = config.get("added_tokens_decoder")
    found: list[str] = []
    for token in added.values() if isinstance(added, dict) else ():
        text = _token(token)
        if isinstance(token, dict) and (token.get("special") or _has_marker_shape(text)):
            found.append(text)
    for key, value in config.items():
        if key.endswith("_token"):
            found.append(_token(value))
        elif key in {"additional_special_tokens", "extra_special_tokens"}:
            listed = value.values() if isinstance(value, dict) else value
            found += map(_token, listed if isinstance(listed, Iterable) else ())
    return tuple(dict.fromkeys(text for text in found if text.strip()))


def _has_marker_shape(text: str) -> bool:
    # Tokenizers also add runs of spaces and single letters, which ordinary text is full of.
    return re.fullmatch(r"<[^<>]+>|\[[^\[\]]+\]", text) is not None


def _read_json(path: Path) -> Mapping[str, object]:
    try:
        found = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise TemplateError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from None
    except RecursionError:
        raise TemplateError(f"{path}: is nested too deeply") from None
    if not isinstance(found, dict):
        raise TemplateError(f"{path}: must hold a JSON object, as a tokenizer's configuration does")
    return found


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise TemplateError(f"{path}: is larger than {_LONGEST_FILE >> 20} MiB, which no template is")
        return path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise FormatNotFound(f"{path}: no such template file") from None
    except (OSError, ValueError) as error:
        raise TemplateError(f"{path}: cannot be read: {error}") from None


def _read_gguf(path: Path) -> ModelTemplates:
    found = read_gguf(path, lambda key: key in _GGUF_KEYS or key.startswith(_GGUF_TEMPLATE))
    names = {key: key.removeprefix(_GGUF_TEMPLATE).removeprefix(".") or DEFAULT for key in found}
    texts = {names[key]: text for key, text in found.items() if key not in _GGUF_KEYS and isinstance(text, str)}
    adds_bos = found.get("tokenizer.ggml.add_bos_token")
    return ModelTemplates(
        where=str(path),
        texts=texts,
        bos_token=_gguf_token(found, "tokenizer.ggml.bos_token_id"),
        eos_token=_gguf_token(found, "tokenizer.ggml.eos_token_id"),
        tokens=_gguf_markers(found),
        adds_bos=adds_bos if isinstance(adds_bos, bool) else None,
        path=path,
    )


def _gguf_token(found: Mapping[str, GgufValue], key: str) -> str:
    tokens, index = found.get("tokenizer.ggml.tokens"), found.get(key)
    inside = isinstance(tokens, list) and isinstance(index, int) and 0 <= index < len(tokens)
    return str(tokens[index]) if inside else ""  # type: ignore[index]  # both are what *inside* says


def _gguf_markers(found: Mapping[str, GgufValue]) -> tuple[str, ...]:
    tokens, types = found.get("tokenizer.ggml.tokens"), found.get("tokenizer.ggml.token_type")
    if not isinstance(tokens, list) or not isinstance(types, list):
        return ()
    pairs = [(str(token), kind) for token, kind in zip(tokens, types, strict=False)]
    return tuple(
        token
        for token, kind in pairs
        if token.strip() and (kind == _CONTROL or (kind == _USER_DEFINED and _has_marker_shape(token)))
    )
