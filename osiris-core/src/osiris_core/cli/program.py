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

#: New objects before the collector looks for cycles. What a command imports lives to its end, 100,000 objects of it,
#: so looking 700 objects at a time, as Python does of itself, finds little and takes a tenth of the start-up.
COLLECT_AFTER = 200_000


def program() -> NoReturn:
    """Run the command in ``sys.argv``, and end the process with its exit code."""
    gc.set_threshold(COLLECT_AFTER)
    # numpy's algebra starts a thread for each core as it is imported. Who wants them says so in the environment.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _open_missing_streams()
    code = main(sys.argv[1:])
    if not (_is_watched() or sys.flags.inspect):
        _leave(code)
    sys.exit(code)  # a debugger, a profiler or a person at the prompt is not done yet


def _open_missing_streams() -> None:
    """Give the process the streams that it was started without (``>&-``), leading nowhere.

    Python has None in their place; and the next file or socket would be what a library takes for stdout.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _is_watched() -> bool:
    """Whether a debugger or a profiler has hooks in this process; since Python 3.12 ``sys.monitoring`` has them too."""
    monitoring = getattr(sys, "monitoring", None)
    tools = [monitoring.get_tool(number) for number in range(6)] if monitoring else []
    return any((sys.gettrace(), sys.getprofile(), *tools))


def _leave(code: int) -> NoReturn:
    """End at once: everything is closed, and taking Arrow and the drivers apart object by object takes 0.1 s.

    Threads of plugins are waited for, and what asked to be called at the end of the process is called, as by Python.
    """
    if "threading" in sys.modules:
        try:
            sys.modules["threading"]._shutdown()
        except (KeyboardInterrupt, Exception):  # noqa: S110 - somebody who cannot wait any longer
            pass
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads any more, or it is closed
            code = code or 120  # what Python says when it cannot flush at its end
    os._exit(code)


if __name__ == "__main__":
    program()
