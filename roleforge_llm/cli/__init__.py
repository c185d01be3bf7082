"""The command line ``roleforge-llm``."""

from __future__ import annotations

import sys

from roleforge_llm.cli.group import cli
from roleforge_llm.cli.output import complain, exit_code, forget_stdout, is_lost_output, prepare_stdout

__all__ = ["cli", "main"]

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 ok, 1 failed, 2 usage or configuration, 130 interrupted.

    An error is told in one line (one line per profile, where several were tried); ``--debug`` shows the
    traceback instead.
    """
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        prepare_stdout()
        # click returns the code of a command that ended by Exit; our commands return nothing themselves.
        if code := cli.main(arguments, prog_name="roleforge-llm", standalone_mode=False):
            sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if is_lost_output(error):
            forget_stdout()
        code = exit_code(error)
        if code is None or (debug and not isinstance(error, BrokenPipeError)):
            raise
        complain(error)
        sys.exit(code)
