"""From a profile's ``model`` to a file that llama.cpp can be given."""

from __future__ import annotations

from pathlib import Path

from roleforge_llm import InvalidRequest, NotFound

__all__ = ["CANARIES", "model_file"]

_PACKAGED = Path(__file__).parent / "canary"

CANARIES = {"canary": _PACKAGED / "tiny-plain.gguf", "canary-special": _PACKAGED / "tiny-special.gguf"}
"""The packaged models by name: chat markers are plain text in the first, control tokens in the second."""


def model_file(model: str | None) -> Path:
    """The file that *model* names: a path, with ``~`` for the home directory, or one of :data:`CANARIES`.

    Raises :class:`NotFound` for a file that is not there, and :class:`InvalidRequest` for no name at all,
    for what is no file, and for a file that is no GGUF. Only the first four bytes are read.
    """
    if not model:
        raise InvalidRequest(f"the profile names no model; {_advice()}", kind="model")
    path = CANARIES.get(model) or Path(model).expanduser()
    try:
        if path.exists() and not path.is_file():  # to open a pipe would wait for somebody who writes into it
            raise InvalidRequest(f"{path} is no file; {_advice()}", kind="model")
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise NotFound(f"there is no model file {path}; {_advice()}", kind="model") from None
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"the model file {path} cannot be read ({error}); {_advice()}", kind="model") from None
    if magic != b"GGUF":
        raise InvalidRequest(f"{path} is not a GGUF file; {_advice()}", kind="model")
    return path.resolve()


def _advice() -> str:
    return f"set model to the path of a .gguf file, or to {' or '.join(CANARIES)}"
