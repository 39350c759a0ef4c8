"""Where the client's CPU goes: ``osiris`` with its data plane's stages timed, as JSON on the last line.

    python benchmarks/movement/cpu_profile.py run MANIFEST …

Each stage is timed by the CPU clock of its thread, one call per batch, so that the timing itself costs nothing. A
profiler that looks at every Python call would make the reader's one loop over the rows look like the whole.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

#: What is shown, and the method that does it.
STAGES = {
    "receive": ("osiris_mysql.packets", "RowPackets", "_receive"),
    "find rows": ("osiris_mysql.packets", "RowPackets", "_walk"),
    "decode to Arrow": ("osiris_mysql.decode", "Decoder", "decode"),
    "convert and check": ("osiris_postgres.staging", "Loader", "convert"),
    "encode for COPY": ("osiris_postgres.encode", "PgpqEncoder", "batch"),
    "send": ("psycopg", "Copy", "write"),
}


def main() -> int:
    """Run the command line's ``osiris`` command; returns its exit code."""
    spent = dict.fromkeys(["start-up", *STAGES, "the rest"], 0.0)
    for stage, (module, owner, method) in STAGES.items():
        _time(getattr(importlib.import_module(module), owner), method, stage, spent)
    from osiris_core.cli.main import main as osiris
    from osiris_postgres.writer import TableWriter

    began: list[float] = []
    begin = TableWriter.begin

    def begin_and_note(writer: Any) -> Any:
        began.append(time.process_time())
        return begin(writer)

    patched: Any = TableWriter
    patched.begin = begin_and_note
    code = osiris(sys.argv[1:])
    total = time.process_time()
    spent["start-up"] = began[0]
    spent["the rest"] = total - sum(spent.values())
    print(json.dumps({"seconds": spent, "total": total}))
    return code


def _time(owner: Any, method: str, stage: str, spent: dict[str, float]) -> None:
    original = getattr(owner, method)

    def timed(*args: Any, **kwargs: Any) -> Any:
        started = time.thread_time()
        try:
            return original(*args, **kwargs)
        finally:
            spent[stage] += time.thread_time() - started

    setattr(owner, method, timed)


if __name__ == "__main__":
    sys.exit(main())
