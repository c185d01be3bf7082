"""The documentation site: ``sphinx-build -W --keep-going -n -c docs . site``, with the extra ``docs`` installed.

Its source is the whole repository, so that links between pages, the READMEs of plugins and the change log lead on the
site where they lead on GitHub. Pages are plain Markdown; what only the site needs is added to them here.
"""

import re
from pathlib import Path

from docutils.nodes import Element, Node, TextElement
from sphinx.addnodes import desc_signature, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import roleforge_llm

project = "roleforge-llm"
author = "the roleforge-llm authors"
version = release = roleforge_llm.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = ["docs/**", "plugins/*/README.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"]

myst_heading_anchors = 4  # links to headings, in GitHub's spelling

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
add_module_names = False  # names are public where their page says, not in the modules that define them
maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"roleforge-llm {version}"
html_copy_source = False
html_show_copyright = False

NAVIGATION = """
```{toctree}
:hidden:
:caption: Using it

Overview </README>
tutorial
CONFIGURATION
BACKEND_SUPPORT
TEMPLATE_GUIDE
FORMATS
FORGED_TURNS
ERROR_HANDLING
SCALING
PERFORMANCE
```

```{toctree}
:hidden:
:caption: Plugins
:glob:

PLUGIN_GUIDE
hooks
/plugins/*/README
```

```{toctree}
:hidden:
:caption: Reference

reference
commands
api/rendering
api/clients
api/messages
api/configuration
api/replies
api/batches
api/exceptions
api/plugins
api/backends
api/policies
api/formats
api/transport
api/testing
```

```{toctree}
:hidden:
:caption: The project

Changes </CHANGELOG>
Contributing </CONTRIBUTING>
```
"""

_TITLED = re.compile(r'^```(\w+) title="([^"]+)"$', re.MULTILINE)
_AS_WRITTEN = [
    (re.compile(r"= (?:NOTHING|<[^<>]+>)"), "= ..."),
    (re.compile(r"Annotated\[(\w+), Bounds\([^)]*\)\]"), r"\1"),
    (re.compile(r"bool \| int \| float \| str \| \S*Sequence\[Json\] \| \S*Mapping\[str, Json\] \| None"), "Json"),
]
"""What Python makes of signatures: defaults that are made, ranges (they are in CONFIGURATION.md), a recursive type."""
_DIRECTIVE = re.compile(r"^<!-- docs: .*? -->\n", re.MULTILINE)


def setup(app: Sphinx) -> None:
    """Called by Sphinx, once."""
    app.connect("source-read", _for_the_site)
    app.connect("missing-reference", _found)
    app.connect("autodoc-process-signature", _readable)
    app.connect("build-finished", _lead_to_the_index)


def _for_the_site(_app: Sphinx, page: str, source: list[str]) -> None:
    """The navigation, the names of shown files, and nothing of what only the test run reads."""
    text = _DIRECTIVE.sub("", source[0])
    text = _TITLED.sub(r"```{code-block} \1" "\n" r":caption: `\2`" "\n", text)
    source[0] = text + NAVIGATION if page == root_doc else text


def _found(app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: TextElement) -> Element | None:
    """Docstrings call what is public by its name, without the package. A type of a signature may have no page."""
    if node.get("reftarget") in roleforge_llm.__all__:
        target = f"roleforge_llm.{node['reftarget']}"
        return env.domains.python_domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, shown)
    return shown if _is_in_signature(node) else None


def _is_in_signature(node: Node) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, desc_signature):
            return True
    return False


def _readable(
    _app: Sphinx, _what: str, _name: str, _value: object, _options: object, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Signatures in the words of the code, without what only Python sees in them."""
    if signature == "(*args, **kwargs)":  # of a protocol: nobody makes one
        return "", None
    for pattern, name in _AS_WRITTEN * 2:  # Json is made of Json
        signature, returned = (text and pattern.sub(name, text) for text in (signature, returned))
    return signature, returned


def _lead_to_the_index(app: Sphinx, error: Exception | None) -> None:
    """Whoever opens the folder comes to the index."""
    if error is None:
        page = f'<!DOCTYPE html><title>{project}</title><meta http-equiv="refresh" content="0; url={root_doc}.html">\n'
        Path(app.outdir, "index.html").write_text(page, encoding="utf-8")
