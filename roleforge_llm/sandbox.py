"""The guarded Jinja environment that every template runs in, one per dialect.

Templates come from users, plugins and model files. They run in Jinja's immutable sandbox, see nothing but
plain data, load no other template, and whatever goes wrong in them is a :class:`TemplateError`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from types import TracebackType
from typing import Literal, NoReturn, TypeAlias

import jinja2
from jinja2 import Environment, Template, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from roleforge_llm.errors import FormatError, TemplateError

__all__ = ["Dialect", "Plain", "parse", "plain", "render_template"]

Dialect: TypeAlias = Literal["native", "hf"]
Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_LOADING = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def parse(dialect: Dialect, text: str, filename: str) -> nodes.Template:
    """Read a template without running any of it. Raises :class:`TemplateError` with file and line."""
    try:
        tree = _environment(dialect).parse(text, filename=filename)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{filename}:{error.lineno}: {error.message}") from error
    except Exception as error:
        raise TemplateError(f"{filename}: cannot be read as a template: {_describe(error)}") from error
    _refuse(tree, filename)
    return tree


def render_template(dialect: Dialect, text: str, filename: str, variables: Mapping[str, Plain]) -> str:
    """Render *text* with *variables*, compiled once per process. Raises :class:`TemplateError` with file and line."""
    template = _compiled(dialect, text, filename)
    try:
        return "".join(template.root_render_func(template.new_context(dict(variables))))
    except Exception as error:
        line = _line_of(error.__traceback__, template)
        raise TemplateError(f"{filename}{line}: {_describe(error)}") from error


def plain(value: object, what: str) -> Plain:
    """A copy of *value* made of nothing but dicts with text keys, lists, texts, numbers, booleans and None.

    So no template ever holds an object of the caller's. Raises :class:`FormatError`, naming *what*.
    """
    try:
        return _plain(value, what)
    except RecursionError:
        raise FormatError(f"{what} is nested too deeply or contains itself") from None


def _plain(value: object, what: str) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {_key(key, what): _plain(item, what) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, what) for item in value]
    raise FormatError(f"{what} must be plain data (text, numbers, lists, objects), not {type(value).__name__}")


def _key(key: object, what: str) -> str:
    if not isinstance(key, str):
        raise FormatError(f"{what} has a key that is no text: {key!r:.60}")
    return str.__str__(key)


@lru_cache(maxsize=512)
def _compiled(dialect: Dialect, text: str, filename: str) -> Template:
    tree = parse(dialect, text, filename)
    environment = _environment(dialect)
    try:
        code = environment.compile(tree, filename=filename)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{filename}:{error.lineno}: {error.message}") from error
    except Exception as error:
        raise TemplateError(f"{filename}: cannot be compiled: {_describe(error)}") from error
    return Template.from_code(environment, code, environment.globals)


@cache
def _environment(dialect: Dialect) -> Environment:
    return _native() if dialect == "native" else _hf()


class _Sandbox(ImmutableSandboxedEnvironment):
    def unsafe_undefined(self, obj: object, attribute: str) -> NoReturn:
        # Jinja gives an undefined value here, which a lenient dialect would print as nothing.
        raise SecurityError(f"access to attribute {attribute!r} of {type(obj).__name__!r} object is unsafe")


def _native() -> Environment:
    environment = _Sandbox(
        trim_blocks=True, keep_trailing_newline=False, undefined=jinja2.StrictUndefined, cache_size=0
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    return environment


def _hf() -> Environment:
    environment = _Sandbox(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        cache_size=0,
        extensions=[LoopControlExtension, _Generation],
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


class _Generation(Extension):
    """``{% generation %}`` marks the text of the assistant for training; for a prompt it is transparent."""

    tags = {"generation"}  # noqa: RUF012  # declared by Jinja, which only reads it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller: Macro) -> str:
        return str(caller())


def _tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes for HTML, which would change what the model reads.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: object = "") -> NoReturn:
    raise jinja2.TemplateError(str(message))


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)  # noqa: DTZ005  # templates tell the model the local date


def _refuse(tree: nodes.Template, filename: str) -> None:
    """Raise for what no template may do, with its line."""
    for node in tree.find_all((*_LOADING, nodes.NSRef)):
        if isinstance(node, nodes.NSRef):
            if node.attr.startswith("_"):
                raise TemplateError(f"{filename}:{node.lineno}: names that begin with an underscore are not available")
        else:
            tag = {"FromImport": "from"}.get(type(node).__name__, type(node).__name__.lower())
            raise TemplateError(
                f"{filename}:{node.lineno}: {{% {tag} %}} is not available; a template is one file, write its text here"
            )


def _line_of(traceback: TracebackType | None, template: Template) -> str:
    """``:line`` of the innermost place in the template that *traceback* passes through."""
    line = ""
    while traceback is not None:
        if traceback.tb_frame.f_globals is template.root_render_func.__globals__:
            line = f":{template.get_corresponding_lineno(traceback.tb_lineno)}"
        traceback = traceback.tb_next
    return line


def _describe(error: Exception) -> str:
    if isinstance(error, jinja2.TemplateError):
        return error.message or type(error).__name__
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
