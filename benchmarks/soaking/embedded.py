"""A long-lived program that runs pipelines in process, as a service would: one JSON line of orders after the other.

An order is ``{"pipeline": PATH, "run_key": KEY or null}``; the answer says how the run ended, and what the process
holds once it is over: resident memory in MB, open file descriptors, threads.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any

from osiris_core import Session
from osiris_core.compile import compile_pipeline, write_compiled
from osiris_core.run import run_compiled
from osiris_core.validate import validate

#: Runs for which a session is kept: what only a session or only a process holds on to shows in either case.
RUNS_PER_SESSION = 20


def megabytes() -> float:
    """Resident memory now; its peak where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(session: Session, pipeline: Path, run_key: str | None) -> dict[str, Any]:
    """Validate, compile and run; how it ended."""
    compiled = compile_pipeline(validate(pipeline, session), session)
    directory = write_compiled(compiled, pipeline.with_suffix(".compiled"))
    result = run_compiled(directory, session, run_key=run_key).result
    return {"ok": result.status == "success", "told": json.dumps(result.error, default=str)}


def main() -> None:
    """Follow the orders on stdin until it ends."""
    for number, line in enumerate(sys.stdin):
        order = json.loads(line)
        if number % RUNS_PER_SESSION == 0:
            session = Session.open()
        try:
            answer = run(session, Path(order["pipeline"]), order["run_key"])
        except Exception as error:  # a cut connection in validate or compile
            answer = {"ok": False, "told": f"{type(error).__name__}: {error}"}
        answer |= {
            "megabytes": megabytes(),
            "descriptors": len(os.listdir("/dev/fd")),  # noqa: PTH208 - the listing itself is one of them
            "threads": threading.active_count(),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
