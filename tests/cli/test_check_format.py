"""``check-format``: equal is 0, different is 1 with the first byte in context, and what cannot be compared is an error."""

import pytest

from tests.formats.models import PIPES, gguf, model, write_config
from tests.propsserver import PropsServer

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def rendered(messages):
    turns = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return f"{turns}<|im_start|>assistant\n"


def test_equal_is_one_line_and_0(run, tmp_path):
    path = str(write_config(tmp_path, CHATML))
    result = run("check-format", "chatml", "--against", path)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"equal: chatml and {path}, byte for byte, in 5 conversations\n"


def test_different_shows_the_first_byte_in_context_and_is_1(run, tmp_path):
    write_config(tmp_path, CHATML.replace("}}<|im_end|>", "}} <|im_end|>"))
    result = run("check-format", "chatml", "--against", "tokenizer_config.json")
    assert result.code == 1
    head, ours, theirs, mark = result.out.splitlines()
    assert head.endswith("in 5 of 5 conversations; with one user message from byte 39 on:")
    assert ours.split(None, 1)[1] == r"<|im_start|>user\nWhat can I cook today?<|im_end|>\n<|im_start|>assistant\n"
    assert theirs.split(None, 1)[1].startswith(r"<|im_start|>user\nWhat can I cook today? <|im_end|>\n")
    assert ours[mark.index("^")] == "<"
    assert theirs[mark.index("^")] == " "


@pytest.mark.parametrize(
    "kind", ["model.gguf", "folder", "mine.jinja", "chat_template.jinja", "tokenizer_config.json#rag"]
)
def test_a_model_is_named_by_any_of_its_files(run, tmp_path, kind):
    if kind == "folder":
        write_config(tmp_path / "folder", CHATML)
    elif kind == "model.gguf":
        (tmp_path / kind).write_bytes(gguf(model(CHATML)))
    elif kind.endswith("rag"):
        write_config(tmp_path, [{"name": "default", "template": PIPES}, {"name": "rag", "template": CHATML}])
    else:
        (tmp_path / kind).write_text(CHATML)
    assert run("check-format", "chatml", "--against", kind).code == 0
    assert run("check-format", "alpaca", "--against", kind).code == 1


def test_a_server_is_asked_for_its_own_rendering(run):
    with PropsServer({"chat_template": "{{ nothing_of_the_kind }}", "bos_token": "<s>"}, rendered) as server:
        assert run("check-format", "chatml", "--against", f"{server.url}/v1").code == 0
        assert run("check-format", "vicuna", "--against", server.url).code == 1


def test_a_server_without_that_is_asked_for_its_template(run):
    with PropsServer({"chat_template": CHATML}) as server:
        assert run("check-format", "chatml", "--against", server.url).code == 0
        assert run("check-format", "llama2", "--against", server.url).code == 1


def test_a_server_that_tells_neither_is_an_error(run):
    with PropsServer() as server:
        result = run("check-format", "chatml", "--against", server.url)
    assert (result.code, result.out) == (1, "")
    assert "does not tell its model's chat template" in result.err


def test_a_server_that_is_away_is_an_error(run):
    with PropsServer() as server:
        url = server.url
    result = run("check-format", "chatml", "--against", url)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: connection refused")


def test_a_profile_stands_for_its_server(run, config):
    with PropsServer({"chat_template": CHATML}, rendered) as server:
        config({"local": {"baseURL": f"{server.url}/v1", "apiKey": "sk-of-local"}})
        assert run("check-format", "chatml", "--against", "local").code == 0
        assert run("check-format", "chatml", "--against", f"{server.url}/v1").code == 0, "the same server by its URL"
    assert {headers.get("authorization") for _, _, headers in server.asked} == {"Bearer sk-of-local"}


def test_a_key_goes_to_its_own_server_alone(run, config):
    with PropsServer({"chat_template": CHATML}) as server:
        config({"other": {"baseURL": "http://127.0.0.1:9/v1", "apiKey": "sk-of-other"}})
        assert run("check-format", "chatml", "--against", server.url).code == 0
    assert not any("authorization" in headers for _, _, headers in server.asked)


def test_a_conversation_that_the_other_side_refuses_is_told_and_left_out(run):
    def picky(messages):
        if messages[0]["role"] == "system":
            raise ValueError("System role not supported")
        return rendered(messages)

    with PropsServer(None, picky) as server:
        result = run("check-format", "chatml", "--against", server.url)
    assert (result.code, result.out.split()[-2:]) == (0, ["2", "conversations"])
    assert result.err.count("not compared") == 3
    assert "System role not supported" in result.err


def test_json_has_everything(run, tmp_path):
    write_config(tmp_path, "<s>" + CHATML)
    result = run("check-format", "chatml", "--against", "tokenizer_config.json", "--json")
    assert (result.code, result.err) == (1, "")
    found = result.json
    assert (found["format"], found["against"], found["equal"]) == ("chatml", "tokenizer_config.json", False)
    assert found["compared"] == found["different"]
    assert found["difference"]["byte"] == 1
    assert (found["difference"]["ours"][:8], found["difference"]["theirs"][:8]) == ("|im_star", "s><|im_s")
    assert (found["skipped"], found["warnings"]) == ({}, [])


def test_what_is_odd_is_warned_of(run, tmp_path):
    """Double BOS, a missing generation prompt, trailing spaces, stop sequences that are never written."""
    write_config(tmp_path, CHATML, bos_token="<s>")
    (tmp_path / "mine.jinja").write_text(
        '{% set stop_sequence = ["<|fin|>"] %}<s>{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}'
    )
    result = run("check-format", "mine.jinja", "--against", "tokenizer_config.json")
    assert result.code == 1
    for part in ("double BOS", "generation prompt is missing", "'<|fin|>' is nowhere", "no stop sequence ends a reply"):
        assert part in result.err
    (tmp_path / "mine.jinja").write_text("{{ user_message }}\nBOT: ")
    assert "ends with a space" in run("check-format", "mine.jinja", "--against", "tokenizer_config.json").err


def test_guess_names_the_formats_with_the_same_bytes(run, tmp_path):
    write_config(tmp_path, CHATML)
    result = run("check-format", "--guess", "tokenizer_config.json")
    assert result.code == 0
    assert result.out.splitlines()[0] == "chatml"
    assert "alpaca" not in result.out.splitlines()
    assert run("check-format", "--guess", "tokenizer_config.json", "--json").json["matches"][0] == "chatml"


def test_guess_asks_servers_too_and_knows_ones_own_formats(run, config, tmp_path):
    config({"a": {"baseURL": "http://127.0.0.1:9/v1"}})
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "pipes.jinja").write_text(PIPES)
    with PropsServer({"chat_template": PIPES}) as server:
        result = run("check-format", "--guess", server.url)
    assert "pipes" in result.out.splitlines()
    assert "chatml" not in result.out.splitlines()


def test_guess_without_a_match_names_the_nearest_and_is_1(run, tmp_path):
    write_config(tmp_path, CHATML.replace("assistant\n", "assistant\n<think>\n"))
    result = run("check-format", "--guess", "tokenizer_config.json")
    assert result.code == 1
    assert result.out.startswith("no known format has the bytes of tokenizer_config.json; the nearest is ")
    found = run("check-format", "--guess", "tokenizer_config.json", "--json").json
    assert found["matches"] == []
    assert found["nearest"]


@pytest.mark.parametrize(
    "arguments",
    [(), ("chatml",), ("--against", "x.json"), ("chatml", "--guess", "x.json"), ("chatml", "--against", "http://[")],
)
def test_bad_usage_is_2(run, arguments):
    result = run("check-format", *arguments)
    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("chatlm", "--against", "there.json"), "no prompt format is called 'chatlm'; did you mean"),
        (("chatml", "--against", "absent.json"), "absent.json: no such template file"),
        (("chatml", "--against", "absent.gguf"), "absent.gguf: no such model file"),
        (("chatml", "--against", "nowhere"), "no prompt format is called 'nowhere'"),
        (("--guess", "empty.json"), "has no chat template"),
    ],
)
def test_what_cannot_be_compared_is_one_error_and_2(run, tmp_path, arguments, complaint):
    (tmp_path / "there.json").write_text('{"chat_template": "x"}')
    (tmp_path / "empty.json").write_text("{}")
    result = run("check-format", *arguments)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert complaint in result.err
