"""check-format and ``template = "server"`` on a real llama.cpp server, whose canary model has chatml's template."""

import json
from pathlib import Path
from typing import Any

import pytest

import roleforge_llm as rf
from roleforge_llm.cli import main
from roleforge_llm.config import parse_config

pytestmark = pytest.mark.live

WRONG = ["alpaca", "vicuna", "llama2"]


@pytest.fixture
def check(canary: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs ``check-format --json`` beside a configuration whose profile "live" is the server; gives code and output."""
    config = tmp_path / "roleforge-llm.json"
    config.write_text(json.dumps({"profiles": {"live": canary.profile()}}))
    config.chmod(0o600)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[object, Any]:
        code: object = 0
        try:
            main(["check-format", *arguments, "--json"])
        except SystemExit as end:
            code = end.code
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("by", ["name", "URL"])
def test_the_right_format_is_found_right(check: Any, canary: Any, by: str) -> None:
    code, found = check("chatml", "--against", "live" if by == "name" else str(canary.settings["baseURL"]))
    assert (code, found["equal"], found["warnings"]) == (0, True, [])
    assert len(found["compared"]) == 5


@pytest.mark.parametrize("format_name", WRONG)
def test_a_wrong_format_is_refused(check: Any, format_name: str) -> None:
    code, found = check(format_name, "--against", "live")
    assert (code, found["equal"]) == (1, False)
    assert found["difference"]["byte"] == 0


def test_the_right_format_is_guessed(check: Any) -> None:
    code, found = check("--guess", "live")
    assert (code, found["matches"][0]) == (0, "chatml")
    assert not set(found["matches"]) & set(WRONG)


def test_a_format_that_writes_bos_beside_the_servers_is_warned_of(check: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(
        '{% set stop_sequence = ["<|im_end|>"] %}<s>{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n'
        "{% endfor %}<|im_start|>assistant\n{{ assistant_message }}"
    )
    code, found = check("mine.jinja", "--against", "live")
    assert code == 1
    assert any("double BOS" in warning for warning in found["warnings"])


def test_the_servers_own_template_gives_the_canned_replies(canary: Any, known_good: Any) -> None:
    with rf.Client(parse_config({"profiles": {"live": canary.profile(template="server")}})) as client:
        for case in known_good("chatml"):
            completion = client.complete(case.messages)
            assert (completion.text, completion.format) == (case.reply, "server")
        assert client.explain(case.messages).prompt == case.prompt
