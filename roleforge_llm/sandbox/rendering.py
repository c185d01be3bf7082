"""Reading, compiling and running a template: whatever goes wrong is an error of ours with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Final, cast

import jinja2
from jinja2 import Template, nodes

from roleforge_llm.errors import TemplateError
from roleforge_llm.sandbox.budget import Budget
from roleforge_llm.sandbox.compiler import charge
from roleforge_llm.sandbox.environments import Dialect, GuardedContext, environment
from roleforge_llm.sandbox.limits import check_length, check_tree
from roleforge_llm.sandbox.plaindata import Plain

__all__ = ["compiled", "parse", "render_template", "run"]

_LOADING: Final = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block)
_LONGEST_MESSAGE: Final = 1000


def parse(dialect: Dialect, text: str, filename: str) -> nodes.Template:
    """Read a template without running any of it. Raises :class:`TemplateError` with file and line."""
    try:
        check_length(text)
        tree = environment(dialect).parse(text, filename=filename)
        check_tree(tree)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{filename}:{error.lineno}: {_describe(error)}") from error
    except Exception as error:
        raise TemplateError(f"{filename}: cannot be read as a template: {_describe(error)}") from error
    _refuse(tree, filename)
    return tree


def render_template(dialect: Dialect, text: str, filename: str, variables: Mapping[str, Plain]) -> str:
    """Render *text* with *variables*, compiled once per process. Raises :class:`TemplateError` with file and line."""
    return run(_compiled(dialect, text, filename), filename, variables)


def run(template: Template, filename: str, variables: Mapping[str, Plain]) -> str:
    """What *template* makes of *variables*. Raises :class:`TemplateError` with file and line."""
    context = cast("GuardedContext", template.new_context(dict(variables)))
    context.budget = Budget(variables)
    try:
        return "".join(template.root_render_func(context))
    except Exception as error:  # noqa: BLE001  # whatever it is, it becomes our error below
        line = _line_of(error.__traceback__, template)
        failure = TemplateError(f"{filename}{line}: {_describe(error)}")
    # Raised out here, so that the failure does not keep all that the template made.
    raise failure


@lru_cache(maxsize=512)
def _compiled(dialect: Dialect, text: str, filename: str) -> Template:
    return compiled(dialect, parse(dialect, text, filename), filename)


def compiled(dialect: Dialect, tree: nodes.Template, filename: str) -> Template:
    """*tree*, ready to run; it is changed on the way. Raises :class:`TemplateError` with file and line."""
    used = environment(dialect)
    try:
        charge(tree)
        code = used.compile(tree, filename=filename)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{filename}:{error.lineno}: {_describe(error)}") from error
    except Exception as error:
        raise TemplateError(f"{filename}: cannot be compiled: {_describe(error)}") from error
    return Template.from_code(used, code, used.globals)


def _refuse(tree: nodes.Template, filename: str) -> None:
    """Raise for what no template may do, with its line."""
    for node in tree.find_all((*_LOADING, nodes.NSRef, nodes.ScopedEvalContextModifier)):
        if isinstance(node, nodes.NSRef):
            if node.attr.startswith("_"):
                raise TemplateError(f"{filename}:{node.lineno}: names that begin with an underscore are not available")
        elif isinstance(node, _LOADING):
            tag = {"FromImport": "from"}.get(type(node).__name__, type(node).__name__.lower())
            raise TemplateError(
                f"{filename}:{node.lineno}: {{% {tag} %}} is not available; a template is one file, write its text here"
            )
        else:
            raise TemplateError(f"{filename}:{node.lineno}: {{% autoescape %}} is not available; prompts are no HTML")


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
        return (error.message or type(error).__name__)[:_LONGEST_MESSAGE]
    return f"{type(error).__name__}: {error}"[:_LONGEST_MESSAGE] if str(error) else type(error).__name__
