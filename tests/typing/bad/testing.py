from roleforge_llm import TemplateFormat, testing
from roleforge_llm.testing import (
    FaultServer,
    ScriptedBackend,
    assert_backend_conforms,
    assert_format_conforms,
    assert_policy_conforms,
    plugin_host,
)

testing.FaultSever()  # wrong
ScriptedBackend("One.", 2)  # wrong
ScriptedBackend("One.").spec(1)  # wrong
assert_format_conforms("mine")  # wrong
assert_backend_conforms(42)  # wrong
assert_policy_conforms(TemplateFormat.from_text("mine", ""))  # wrong
plugin_host(bultin=True)  # wrong
with FaultServer(503) as server:  # wrong
    print(server.base_url)
