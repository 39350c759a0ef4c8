"""Reading MySQL to Arrow: the bulk decoder, the plain cursor, and the client everybody has.

    python benchmarks/mysql_read.py [--rows 1000000] [--repeat 5] [--short]

It starts its own MariaDB with the 13-column table of ``wide_table.py``. The ways take turns, each in a process of its
own; printed are the medians of wall and CPU time of the client, the spread, and the peak of its memory. It fails when
the bulk decoder is slower than 0.85 times ``mariadb --quick`` or needs more than 200 MB. ``--short`` takes 100,000
rows, three rounds, and holds the memory only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import startup
import wide_table

from osiris_core.testing.servers import mysql_server

SLOWEST_RATIO = 0.85
MOST_MEGABYTES = 200
#: The plain cursor is so slow that a fifth of the rows shows its rate as well.
PLAIN_SHARE = 5


@dataclass(frozen=True)
class Sample:
    """One process: rows a second by the wall clock, CPU seconds per million rows, peak memory in MB."""

    rows: int
    seconds: float
    cpu: float
    megabytes: float


def child(way: str, fields: dict[str, Any], rows: int) -> None:
    """Read ``rows`` rows one way and print what it took as JSON; imports and the login are not counted."""
    from osiris_core import Connection, Secret, StepContext
    from osiris_mysql.reader import open_reader

    connection = Connection("bench", "mysql", {**fields, "password": Secret(fields["password"])})
    context = StepContext("bench", "bench", "bench", "bench", Path(), Path())
    warm = open_reader(connection, {"table": wide_table.TABLE, "limit": 100}, context, bulk=way == "bulk")
    assert sum(batch.num_rows for batch in warm) == 100
    began, cpu = time.perf_counter(), time.process_time()
    stream = open_reader(connection, {"table": wide_table.TABLE, "limit": rows}, context, bulk=way == "bulk")
    count = sum(batch.num_rows for batch in stream)
    took, used = time.perf_counter() - began, time.process_time() - cpu
    assert count == rows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([count, took, used, peak]))


def python(way: str, fields: dict[str, Any], rows: int) -> Sample:
    """One of our two ways, in a new process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    arguments = json.dumps([way, fields, rows])
    command = [sys.executable, __file__, "--child", arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    count, took, used, peak = json.loads(done.stdout)
    return Sample(count, took, used * 1e6 / count, peak)


def client(fields: dict[str, Any], rows: int, defaults: Path) -> Sample:
    """``mariadb --quick -B -N``, its output thrown away."""
    program = shutil.which("mariadb") or shutil.which("mysql")
    if program is None:
        raise SystemExit("the mariadb client is missing: run scripts/install-servers")
    query = f"SELECT * FROM {wide_table.TABLE} LIMIT {rows}"
    command = [program, f"--defaults-file={defaults}", "--quick", "-B", "-N", fields["database"], "-e", query]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Sample(rows, time.perf_counter() - began, used * 1e6 / rows, 0.0)


def measure(fields: dict[str, Any], rows: int, repeat: int, directory: Path) -> dict[str, list[Sample]]:
    """Every way in turn, ``repeat`` times."""
    defaults = directory / "client.cnf"
    lines = ["[client]", "protocol=tcp", *(f'{name}="{fields[name]}"' for name in ("host", "port", "user", "password"))]
    defaults.touch(0o600)
    defaults.write_text("\n".join(lines))
    samples: dict[str, list[Sample]] = {"bulk decoder": [], "mariadb --quick": [], "plain cursor": []}
    for _ in range(repeat):
        samples["bulk decoder"].append(python("bulk", fields, rows))
        samples["mariadb --quick"].append(client(fields, rows, defaults))
        samples["plain cursor"].append(python("plain", fields, rows // PLAIN_SHARE))
    return samples


def report(samples: dict[str, list[Sample]]) -> None:
    """One line a way."""
    print(f"{'way':18}{'krows/s':>9}{'spread':>14}{'CPU s/Mrow':>12}{'peak MB':>9}")
    for way, found in samples.items():
        rates = [sample.rows / sample.seconds / 1000 for sample in found]
        spread = f"{min(rates):.0f}-{max(rates):.0f}"
        peak = max(sample.megabytes for sample in found)
        cpu = statistics.median(sample.cpu for sample in found)
        print(f"{way:18}{statistics.median(rates):9.0f}{spread:>14}{cpu:12.2f}{peak or float('nan'):9.0f}")


def main() -> int:
    """Print the figures; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*json.loads(options.child))
        return 0
    rows, repeat = (100_000, 3) if options.short else (options.rows, options.repeat)
    startup.compile_bytecode()
    with mysql_server(settings={"innodb_buffer_pool_size": "1G"}) as server, contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = server.create_database()
        with contextlib.closing(database.connect()) as connection:
            wide_table.create(connection)
            wide_table.fill(connection, rows)
        samples = measure(database.fields, rows, repeat, directory)
    print(f"{rows:,} rows x {len(wide_table.COLUMNS)} columns, median of {repeat}")
    report(samples)
    pairs = zip(samples["bulk decoder"], samples["mariadb --quick"], strict=True)
    ratio = statistics.median(ours.seconds / theirs.seconds for ours, theirs in pairs)
    megabytes = max(sample.megabytes for sample in samples["bulk decoder"])
    print(f"bulk decoder / mariadb --quick: {ratio:.2f} x (limit {SLOWEST_RATIO})")
    print(f"peak memory: {megabytes:.0f} MB (limit {MOST_MEGABYTES})")
    return int(megabytes > MOST_MEGABYTES or (ratio > SLOWEST_RATIO and not options.short))


if __name__ == "__main__":
    sys.exit(main())
