"""Finding a format by name or path."""

from collections.abc import Collection
from pathlib import Path

import pytest

from roleforge_llm import FormatNotFound, PluginError, PromptFormat, TemplateError, TemplateFormat
from roleforge_llm.formats import FoundFormat, find_format

NATIVE = "{{ user_message }}"


class Offered:
    """Formats as a host offers them."""

    def __init__(self, *names: str, overridden: Collection[str] = (), broken: Collection[str] = ()) -> None:
        self.formats = {name: TemplateFormat.from_text(name, NATIVE) for name in names}
        self.overridden = overridden
        self.broken = broken

    def format_names(self) -> list[str]:
        return list(self.formats)

    def format(self, name: str) -> PromptFormat | None:
        if name in self.broken:
            raise PluginError(f"the plugin of {name} is broken")
        return self.formats.get(name)


def path_of(found: FoundFormat) -> Path | None:
    assert isinstance(found.format, TemplateFormat)
    return found.format.path


OFFERED = Offered("chatml", "alpaca", "llama2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    return folder


def write(path: Path, text: str = NATIVE) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_an_offered_format_is_found_by_its_name() -> None:
    found = find_format("alpaca", OFFERED)
    assert found.format is OFFERED.formats["alpaca"]
    assert found.warnings == ()


def test_a_file_in_a_templates_folder_is_a_format(folder: Path) -> None:
    write(folder / "mine.jinja")
    found = find_format("mine", OFFERED, [folder])
    assert (found.format.name, found.warnings) == ("mine", ())


@pytest.mark.parametrize("relative", ["mine.jinja", "./mine.jinja", "deeper/../mine.jinja", "no-suffix/mine"])
def test_a_name_with_a_separator_or_the_suffix_is_a_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch, relative: str
) -> None:
    (folder / "deeper").mkdir()
    (folder / "no-suffix").mkdir()
    write(folder / "mine.jinja")
    write(folder / "no-suffix" / "mine")
    monkeypatch.chdir(folder)
    assert find_format(relative, OFFERED).format.name == "mine"


def test_a_path_that_is_not_there_is_an_error_and_not_chatml(folder: Path) -> None:
    with pytest.raises(FormatNotFound, match=r"absent\.jinja"):
        find_format(str(folder / "absent.jinja"), OFFERED)


def test_a_path_into_the_home_of_nobody_is_not_found() -> None:
    with pytest.raises(FormatNotFound, match="no such template file"):
        find_format("~no-such-user/mine.jinja", OFFERED)


def test_a_broken_template_is_an_error_with_file_and_line(folder: Path) -> None:
    write(folder / "mine.jinja", "one\n{% if %}")
    with pytest.raises(TemplateError, match=r"mine\.jinja:2: "):
        find_format("mine", OFFERED, [folder])


def test_a_format_whose_plugin_is_broken_is_an_error() -> None:
    with pytest.raises(PluginError, match="broken"):
        find_format("theirs", Offered("chatml", broken=["theirs"]))


def test_an_unknown_name_gives_chatml_and_one_warning_that_helps(folder: Path) -> None:
    write(folder / "alpine.jinja")
    found = find_format("Alpacca", OFFERED, [folder])
    assert found.format.name == "chatml"
    (warning,) = found.warnings
    assert "'Alpacca'" in warning
    assert "did you mean 'alpaca'" in warning
    assert str(folder) in warning
    assert warning.endswith("using 'chatml'")


def test_an_unknown_name_like_no_other_lists_the_known_ones() -> None:
    (warning,) = find_format("zzz", OFFERED).warnings
    assert "known: alpaca, chatml, llama2" in warning


def test_an_unknown_name_is_an_error_where_that_is_asked_for() -> None:
    with pytest.raises(FormatNotFound, match="did you mean 'alpaca'"):
        find_format("alpacca", OFFERED, strict=True)


def test_without_chatml_there_is_nothing_to_fall_back_to() -> None:
    with pytest.raises(FormatNotFound, match="not installed or disabled"):
        find_format("mine", Offered())


def test_a_file_does_not_silently_replace_an_installed_format(folder: Path) -> None:
    write(folder / "alpaca.jinja")
    found = find_format("alpaca", OFFERED, [folder])
    assert found.format is OFFERED.formats["alpaca"]
    assert "alpaca.jinja is not used" in found.warnings[0]


def test_a_file_replaces_an_installed_format_that_configuration_lists(folder: Path) -> None:
    path = write(folder / "alpaca.jinja")
    found = find_format("alpaca", Offered("chatml", "alpaca", overridden=["alpaca"]), [folder])
    assert path_of(found) == path.resolve()
    assert found.warnings == ()


def test_the_first_folder_wins(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(folder / "mine.jinja", "{{ user_message }}1")
    write(other / "mine.jinja", "{{ user_message }}2")
    assert path_of(find_format("mine", OFFERED, [other, folder])) == other.resolve() / "mine.jinja"


def test_a_bare_name_cannot_leave_the_folder_through_a_link(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside.jinja")
    (folder / "mine.jinja").symlink_to(tmp_path / "outside.jinja")
    found = find_format("mine", OFFERED, [folder])
    assert found.format.name == "chatml"


@pytest.mark.parametrize("name", ["..", "", "x" * 5000, "a\0b", "*", "distribution:name", "ü"])
def test_no_name_raises(folder: Path, name: str) -> None:
    assert find_format(name, OFFERED, [folder, folder / "absent"]).format.name == "chatml"


def test_a_templates_text_is_a_format_without_any_file() -> None:
    found = find_format("{% set stop_sequence = ['#'] %}{{ user_message }}", OFFERED)
    assert (found.format.name, found.format.stop, found.warnings) == ("inline", ("#",), ())


def test_a_broken_templates_text_is_an_error_with_its_line() -> None:
    with pytest.raises(TemplateError, match=r"^<inline>:2: "):
        find_format("one\n{% if %}", OFFERED)


@pytest.mark.parametrize("name", ["mine.jinja", "deeper/mine.jinja"])
def test_a_relative_path_starts_at_the_base(folder: Path, name: str) -> None:
    (folder / "deeper").mkdir()
    write(folder / name)
    assert path_of(find_format(name, OFFERED, base=folder)) == folder / name
    assert path_of(find_format(str(folder / name), OFFERED, base="/elsewhere")) == folder / name


def test_a_path_with_a_number_sign_in_it_is_a_path(folder: Path) -> None:
    write(folder / "c#.jinja")
    assert find_format("c#.jinja", OFFERED, base=folder).format.name == "c#"


@pytest.mark.parametrize("name", ["absent.json", "absent.gguf", "absent.json#rag"])
def test_a_models_file_that_is_not_there_is_an_error_and_not_chatml(folder: Path, name: str) -> None:
    with pytest.raises(FormatNotFound, match="no such"):
        find_format(name, OFFERED, base=folder)
