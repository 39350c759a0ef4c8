"""The ``osiris`` program: a process that is ours from its first line to its end, around ``main``."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from osiris_core.cli.main import main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: New objects before the collector looks for cycles. What a command imports lives to its end, so looking 700 objects
#: at a time, as Python does of itself, finds nothing and takes a tenth of the start-up.
COLLECT_AFTER = 50_000


def program() -> NoReturn:
    """Run the command in ``sys.argv``, and end the process with its exit code."""
    gc.set_threshold(COLLECT_AFTER)
    code = main(sys.argv[1:])
    if sys.gettrace() is None and sys.getprofile() is None and not sys.flags.inspect:
        _leave(code)
    sys.exit(code)  # a debugger, a profiler or a person at the prompt is not done yet


def _leave(code: int) -> NoReturn:
    """End at once: everything is closed, and taking Arrow and the drivers apart object by object takes 0.1 s.

    What asked to be called at the end of the process is called, as it is by Python.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads any more, or it is closed
            code = code or 120  # what Python says when it cannot flush at its end
    os._exit(code)


if __name__ == "__main__":
    program()
