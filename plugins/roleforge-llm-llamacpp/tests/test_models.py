import os
from pathlib import Path

import pytest
from roleforge_llm_llamacpp.models import CANARIES, model_file

from roleforge_llm import InvalidRequest, NotFound


@pytest.mark.parametrize("name", CANARIES)
def test_the_packaged_models_are_there_by_name(name: str) -> None:
    assert model_file(name).read_bytes().startswith(b"GGUF")


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "m.gguf").write_bytes(b"GGUF....")
    assert model_file("~/m.gguf") == (tmp_path / "m.gguf").resolve()


def test_two_paths_to_one_file_are_one_model(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF....")
    (tmp_path / "link.gguf").symlink_to(tmp_path / "m.gguf")
    assert model_file(str(tmp_path / "link.gguf")) == model_file(str(tmp_path / "m.gguf"))


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no model file .*absent\.gguf; set model to .*canary"):
        model_file(str(tmp_path / "absent.gguf"))


def test_a_file_that_is_no_gguf_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_text("hello")
    with pytest.raises(InvalidRequest, match=r"m\.gguf is not a GGUF file"):
        model_file(str(tmp_path / "m.gguf"))


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_what_is_no_name_of_a_file_is_an_error_of_ours(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        model_file(name)


def test_so_is_what_is_no_file(tmp_path: Path) -> None:
    found = [tmp_path]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.gguf")
        found.append(tmp_path / "pipe.gguf")
    for path in found:
        with pytest.raises(InvalidRequest, match="is no file; set model to"):
            model_file(str(path))


@pytest.mark.parametrize("name", [None, ""])
def test_a_profile_without_a_model_is_told_so(name: str | None) -> None:
    with pytest.raises(InvalidRequest, match="names no model"):
        model_file(name)
