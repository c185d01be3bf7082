"""Files as bytes: what is read, what is refused, and where the fault is."""

import resource
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from roleforge_llm import ConfigError
from roleforge_llm.config import load_config

GOOD_TOML = '[profiles.a]\nbase_url = "http://localhost:1/v1"\n'
GOOD_JSON = '{"profiles": {"a": {"baseURL": "http://localhost:1/v1"}}}'


def refused(folder: Path, name: str, content: str | bytes) -> str:
    """The one-line error for the file *name*; it must come at once, in little memory, and name the file."""
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    memory, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    assert time.process_time() - begin < 1
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 * 1024
    assert str(file) in str(caught.value)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


@pytest.mark.parametrize(("name", "content"), [("c.toml", GOOD_TOML), ("c.json", GOOD_JSON), ("C.JSON", GOOD_JSON)])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with byte order mark"])
def test_toml_and_json_are_read_with_or_without_a_byte_order_mark(
    tmp_path: Path, name: str, content: str, mark: bytes
) -> None:
    (tmp_path / name).write_bytes(mark + content.encode())
    assert list(load_config(tmp_path / name).profiles) == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("c.json", "[" * 100_000, "nested too deeply"),
        ("c.json", "[]", "must hold a table (an object) at its top level, not a list"),
        ("c.json", '"text"', "not text"),
        ("c.json", GOOD_JSON + "\n x", "line 2, column 2: is not JSON: Extra data"),
        ("c.json", '{"profiles":\n {,}}', "line 2, column 3: is not JSON"),
        ("c.json", "", "line 1, column 1: is not JSON"),
        ("c.json", '{"profiles": ' + "9" * 5000 + "}", "cannot be read"),
        ("c.json", b'{"profiles":\n "\xff"}', "line 2, column 3: is not UTF-8 text"),
        ("c.toml", GOOD_TOML.encode("utf-16"), "line 1, column 1: is not UTF-8 text"),
        ("c.toml", "[profiles.a]\nmodel = \n", "line 2, column 9: is not TOML: Invalid value"),
        ("c.toml", "[profiles.a]\n[profiles.a]\n", "line 2, column 12: is not TOML"),
        ("c.toml", "x = " + "[" * 50_000, "nested too deeply"),
        ("c.toml", "x = 1\n" + ".".join(["a"] * 60_000) + " = 1", "line 2: is not TOML: A dotted key of more than 16"),
        ("c.toml", "x = {" + " . ".join(['"a"'] * 60_000) + " = 1}", "A dotted key of more than 16 parts"),
        ("c.toml", "[" + ".".join(["'a'"] * 60_000) + "]", "A dotted key of more than 16 parts"),
        ("c.toml", "a" * 900_000, "is not TOML"),
        ("c.toml", "#" * (1 << 20) + "\n", "is larger than 1 MiB"),
        ("c.json", b" " * 50_000_000, "is larger than 1 MiB"),
        ("c.yaml", "a0: &a0 [x, x]", "YAML is not supported; write the same settings as TOML (.toml) or JSON (.json)"),
        ("c.yml", "!!python/object/apply:os.system ['id']", "YAML is not supported"),
        ("c.ini", GOOD_TOML, "must end in .toml or .json"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error_with_the_place(
    tmp_path: Path, name: str, content: str | bytes, expected: Any
) -> None:
    assert expected in refused(tmp_path, name, content)


def test_a_json_key_that_stands_twice_is_named_with_its_path(tmp_path: Path) -> None:
    text = '{"profiles": {"a": {"model": "x", "model": "y"}}, "agents": {"b": 1, "b": 2}}'
    assert refused(tmp_path, "c.json", text).endswith('profiles.a: the key "model" stands there twice; keep one')


def test_nan_is_refused_where_a_number_is_expected(tmp_path: Path) -> None:
    text = '{"profiles": {"a": {"timeouts": {"idle": NaN, "total": 1e999}}}}'
    error = refused(tmp_path, "c.json", text)
    assert "profiles.a.timeouts.idle: must be a finite number, not nan" in error
    assert "profiles.a.timeouts.total: must be a finite number, not inf" in error


def test_a_folder_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "d.toml").mkdir()
    with pytest.raises(ConfigError, match="is not a regular file"):
        load_config(tmp_path / "d.toml")
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read: No such file"):
        load_config(tmp_path / "gone.toml")
