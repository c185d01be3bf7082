"""The guarded Jinja environment that every template runs in, one per dialect.

Templates come from users, plugins and model files. They see nothing but plain data, load no other template,
reach only what is listed here, and pay for all they do out of a budget: every repetition, every call and
every value is priced before it is made. Whatever goes wrong in them is a :class:`TemplateError`. It takes no
thread, signal or process to hold a template back, so that it works in any thread.
"""

from roleforge_llm.sandbox.environments import Dialect
from roleforge_llm.sandbox.plaindata import Plain, plain
from roleforge_llm.sandbox.rendering import parse, render_template
from roleforge_llm.sandbox.resuming import Resumable, resumable

__all__ = ["Dialect", "Plain", "Resumable", "parse", "plain", "render_template", "resumable"]
