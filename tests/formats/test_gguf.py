"""Reading the metadata of GGUF files: our own reader, for files from strangers."""

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roleforge_llm import FormatNotFound, RoleforgeError, TemplateError
from roleforge_llm.formats.gguf import read_gguf
from roleforge_llm.formats.model import model_format
from tests.formats.models import PIPES, gguf, model, text

CANARY = Path(__file__).parents[2] / "plugins/roleforge-llm-llamacpp/roleforge_llm_llamacpp/canary/tiny-special.gguf"


def write(folder: Path, data: bytes) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(data)
    return path


def test_only_the_wanted_values_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, gguf(model()))
    found = read_gguf(path, lambda key: key in {"general.weight", "tokenizer.ggml.token_type", "absent"})
    assert found == {"general.weight": 0.5, "tokenizer.ggml.token_type": [2, 3, 3, 3, 1, 4, 4]}


def test_version_2_is_read_too(tmp_path: Path) -> None:
    assert read_gguf(write(tmp_path, gguf({"a": 1}, version=2)), lambda _: True) == {"a": 1}


def test_a_real_model_file_is_read() -> None:
    made = model_format(CANARY)
    assert (made.bos_token, made.eos_token) == ("<s>", "</s>")
    assert made.stop == ("<|im_end|>", "<|im_start|>")


def test_a_text_that_is_no_utf8_spoils_no_other(tmp_path: Path) -> None:
    broken = text("a") + struct.pack("<IQ", 8, 2) + b"\xff\xfe" + text("b") + struct.pack("<I", 8) + text("kept")
    found = read_gguf(write(tmp_path, b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + broken), lambda _: True)
    assert found["b"] == "kept"


def test_a_file_that_ends_anywhere_within_its_metadata_is_an_error_that_says_so(tmp_path: Path) -> None:
    whole = gguf(model())
    for length in range(8, len(whole), 7):
        with pytest.raises(TemplateError, match="ends within its metadata; download it again"):
            read_gguf(write(tmp_path, whole[:length]), lambda _: True)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "cannot be read as a GGUF file"),
        (b"PK\x03\x04 some zip file", "it does not begin with GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "its version is 0x1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "little-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "keys, more than any model has"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**40), "bytes of text, more than any model has"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, 2**50), "list items"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 77), "the unknown type 77"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1), "the unknown type 9"),
    ],
)
@pytest.mark.parametrize("wanted", [True, False], ids=["read", "skipped"])
def test_a_hostile_or_foreign_file_is_one_clear_error(
    tmp_path: Path, data: bytes, complaint: str, wanted: bool
) -> None:
    path = write(tmp_path, data)
    with pytest.raises(TemplateError, match=re.escape(complaint)) as caught:
        read_gguf(path, lambda _: wanted)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FormatNotFound, match="no such model file"):
        read_gguf(tmp_path / "absent.gguf", lambda _: True)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damage_gives_anything_but_our_error(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = bytearray(gguf(model()))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path_factory.mktemp("damaged"), bytes(whole))
    assert "\n" not in complaint_about(path)


def complaint_about(path: Path) -> str:
    try:
        model_format(path)
    except RoleforgeError as error:
        return str(error)
    return ""


def test_tokens_of_a_model_file_become_the_formats(tmp_path: Path) -> None:
    made = model_format(write(tmp_path, gguf(model())))
    assert (made.name, made.dialect, made.text) == ("model", "hf", PIPES)
    assert (made.bos_token, made.eos_token, made.bos) == ("<s>", "<|end|>", "template")
    assert made.control_tokens == ("<s>", "</s>", "<|end|>", "<tool>")


def test_a_model_whose_tokenizer_adds_no_bos_keeps_the_templates_own(tmp_path: Path) -> None:
    """Sending drops the BOS of a format that says "template", because the server adds one; here it does not."""
    made = model_format(write(tmp_path, gguf(model(more={"tokenizer.ggml.add_bos_token": False}))))
    assert (made.bos, made.bos_token) == ("server", "<s>")


def test_one_of_several_templates_is_named_behind_the_path(tmp_path: Path) -> None:
    more = {"tokenizer.chat_templates": ["rag"], "tokenizer.chat_template.rag": "rag {{ messages[0].content }}"}
    path = write(tmp_path, gguf(model(more=more)))
    assert model_format(path, "rag").text.startswith("rag ")
    with pytest.raises(TemplateError, match=r"has no chat template 'tool'; .*: #default, #rag"):
        model_format(path, "tool")


@pytest.mark.parametrize("token", [-1, 7, 2**31])
def test_a_token_id_beyond_the_list_is_no_token(tmp_path: Path, token: int) -> None:
    made = model_format(write(tmp_path, gguf(model(more={"tokenizer.ggml.bos_token_id": token % 2**32}))))
    assert made.bos_token == ""
