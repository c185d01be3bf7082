"""Every format of the library keeps the rules that the testing kit holds formats to."""

import pytest
import roleforge_llm_formats as plugin

from roleforge_llm.testing import assert_format_conforms, plugin_host

FORMATS = list(plugin.roleforge_formats())
every_format = pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])

SYSTEM_LAST = {
    "system-place": "its source puts the system message into the last user turn",
    "prefix-stable": "the system message moves on with the last user turn",
}
WAIVED = {
    "gemma4": {"prefix-stable": "its source opens a reply with an empty thought, and leaves it out of earlier replies"},
    "gpt-oss": {"stop-unwritten": "the model ends a reply with another marker than its source writes after one"},
    "mistral-v3": SYSTEM_LAST,
    "mistral-v3-tekken": SYSTEM_LAST,
    "pygmalion": {"control-tokens": "the line of the persona opens the text, and no turn"},
}
"""What does not hold for a format because it does not hold for its source."""


def waived(form):
    trims = {"white-space": "its source trims what messages say"} if "trims" in form.description else {}
    return {**WAIVED.get(form.name, {}), **trims}


@every_format
def test_it_conforms(form):
    assert_format_conforms(form, waive=waived(form), examples=6)


@pytest.mark.nightly
@every_format
def test_it_conforms_in_a_long_search(form):
    assert_format_conforms(form, waive=waived(form), examples=1000)


def test_a_host_takes_all_of_them():
    assert len(plugin_host(plugin).format_names()) == len(FORMATS)
