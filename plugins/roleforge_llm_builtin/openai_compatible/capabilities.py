"""What the server behind a profile can do, as far as its address tells."""

from __future__ import annotations

from urllib.parse import urlsplit

from roleforge_llm.backends import Capabilities
from roleforge_llm.profiles import Profile

__all__ = ["capabilities", "is_openai"]

_CONSTRAINTS = (
    "response_format",
    *("grammar", "json_schema"),  # llama.cpp, KoboldCPP
    *("structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar"),  # vLLM
    *("regex", "ebnf"),  # SGLang
    *("regex_pattern", "grammar_string"),  # TabbyAPI, text-generation-webui
)

_OPENAI = Capabilities(max_stop=4, requires_base_url=True, constraints=_CONSTRAINTS)
_OTHERS = Capabilities(requires_base_url=True, constraints=_CONSTRAINTS)


def is_openai(profile: Profile) -> bool:
    """Whether *profile* names OpenAI's own service (any region of it)."""
    host = urlsplit(profile.base_url or "").hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")


def capabilities(profile: Profile) -> Capabilities:
    """OpenAI takes four stop sequences; the local servers take any number.

    Whether a chat endpoint continues a prefill cannot be told from an address: ``chatPrefill`` of the profile
    says it.
    """
    return _OPENAI if is_openai(profile) else _OTHERS
