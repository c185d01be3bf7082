"""The command line ``roleforge-llm``."""

from __future__ import annotations

import os
import sys

from roleforge_llm.cli.group import cli
from roleforge_llm.cli.output import complain, exit_code

__all__ = ["cli", "main"]

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 ok, 1 failed, 2 usage or configuration, 130 interrupted.

    An error is told in one line (one line per profile, where several were tried); ``--debug`` shows the
    traceback instead.
    """
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        # click returns the code of a command that ended by Exit; our commands return nothing themselves.
        if code := cli.main(arguments, prog_name="roleforge-llm", standalone_mode=False):
            sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _forget_stdout()
        sys.exit(1)
    except Exception as error:
        code = exit_code(error)
        if code is None or debug:
            raise
        complain(error)
        sys.exit(code)


def _forget_stdout() -> None:
    """Nobody reads stdout any more; keep the interpreter from complaining when it flushes it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
