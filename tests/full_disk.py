"""A small file system that a pipeline fills: run inside namespaces of its own (``unshare --map-root-user --mount``).

Its argument is a directory with a project whose target is below ``disk``. It prints what became of the first run, of
the target after it, and of a plain re-run with more room, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from osiris_core.testing.cli import Osiris

PREPARE, PIPELINE = "prepare.yaml", "p.yaml"


def main() -> None:
    project, size_mib = Path(sys.argv[1]), int(sys.argv[2])
    disk = project / "disk"
    mount(disk, size_mib)
    osiris = Osiris(project)
    prepared = run(osiris, PREPARE)
    before = names(disk)
    target = next(path for path in sorted(disk.iterdir()) if not path.name.startswith("."))
    full = run(osiris, PIPELINE)
    after = names(disk)
    mount(disk, size_mib * 20, "remount,")
    unchanged = rows(target)
    again = run(osiris, PIPELINE)
    result = {
        "prepared": prepared[0],
        "full": full,
        "names": [before, after],
        "unchanged": unchanged,
        "again": again,
        "rows": rows(target),
    }
    print(json.dumps(result))


def mount(disk: Path, size_mib: int, options: str = "") -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options}size={size_mib}m", "none", disk], check=True)


def run(osiris: Osiris, pipeline: str) -> tuple[int, Any]:
    done = osiris("run", pipeline, "--json")
    return done.returncode, json.loads(done.stdout)


def names(disk: Path) -> list[str]:
    """What lies there: after a failure only the target's own files may."""
    return sorted(path.name for path in disk.iterdir())


def rows(target: Path) -> list[int]:
    """How many rows there are, and how many different ones."""
    import duckdb

    readers = {".csv": "read_csv", ".jsonl": "read_json", ".parquet": "read_parquet"}
    if target.suffix in readers:
        sql, connection = f"{readers[target.suffix]}('{target}')", duckdb.connect()
    else:
        sql, connection = "target", duckdb.connect(str(target), read_only=True)
    with connection:
        return list(connection.execute(f"SELECT count(*), count(DISTINCT id) FROM {sql}").fetchall()[0])


main()
