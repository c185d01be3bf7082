import subprocess
import sys

import roleforge_llm_llamacpp as plugin

from roleforge_llm import Profile


def test_it_offers_one_backend_that_continues_a_prefill_on_both_endpoints() -> None:
    (spec,) = plugin.roleforge_backends()
    assert spec.name == "llamacpp"
    assert spec.capabilities_for(Profile("local", backend="llamacpp")).continues_prefill


def test_it_offers_the_command_demo() -> None:
    assert [command.name for command in plugin.roleforge_commands()] == ["demo"]


def test_listing_what_it_offers_imports_neither_the_engine_nor_an_http_library() -> None:
    heavy = ["xllamacpp", "openai", "httpx", "http.client", "asyncio", "roleforge_llm_llamacpp.server"]
    code = (
        "import sys, roleforge_llm_llamacpp as plugin\n"
        "plugin.roleforge_backends(), plugin.roleforge_commands()\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
