"""``osiris validate`` from a cold process against real servers: wall time with the schema probe.

    python benchmarks/validate_servers.py [--tables 100] [--repeat 21]

It starts MariaDB and PostgreSQL itself and discovers both once; then every run imports everything anew, asks each
server whether its schema is still the one in the cache, and validates a pipeline of a read and a write. It fails when
the median of a pipeline is over the bound.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import discovery
import startup

from osiris_core.testing.servers import mysql_server, postgres_server

BOUND_MS = 350.0
COLUMNS = ["id", "customer_id", "status", "quantity", "amount", "due", "email", "note"]
COMPONENTS = {"shop": "mysql.table", "warehouse": "postgres.table"}
ROUTES = {
    "MariaDB": ("shop", "shop"),
    "PostgreSQL": ("warehouse", "warehouse"),
    "MariaDB to PostgreSQL": ("shop", "warehouse"),
}


def pipeline(source: str, target: str) -> str:
    """A read and a merge."""
    write = {"table": "t0001", "write_mode": "merge", "merge_keys": ["id"]}
    read = {"table": "t0000", "columns": COLUMNS, "where": [{"column": "quantity", "op": ">=", "value": 1}]}
    steps = [
        {"id": "read", "component": COMPONENTS[source], "mode": "read", "connection": f"@{source}", "config": read},
        {"id": "write", "component": COMPONENTS[target], "mode": "write", "connection": f"@{target}", "config": write},
    ]
    return json.dumps({"oml_version": "0.0.1", "name": "bench", "steps": [steps[0], steps[1] | {"needs": ["read"]}]})


def times(name: str, directory: Path, environment: dict[str, str], repeat: int) -> list[float]:
    """Wall milliseconds of each process. Raises SystemExit when one fails."""
    command = [str(Path(sysconfig.get_path("scripts")) / "osiris"), "validate", name, "--mode", "strict"]
    found = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
        found.append((time.perf_counter() - started) * 1000)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return found[1:]  # the first filled the cache


def main() -> int:
    """Print a line for each pipeline; 1 when one is over the bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=100, help="tables in each database")
    parser.add_argument("--repeat", type=int, default=21)
    options = parser.parse_args()
    startup.compile_bytecode()
    broken = False
    with mysql_server() as my, postgres_server() as pg, tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        databases = {
            "shop": discovery.System("mysql", my, len).database(options.tables),
            "warehouse": discovery.System("postgres", pg, len).database(options.tables),
        }
        connections = {
            alias: {**database.fields, "component": family(alias), "password": f"${{{alias.upper()}}}"}
            for alias, database in databases.items()
        }
        (directory / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}))
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {alias.upper(): database.password for alias, database in databases.items()}
        for number, (title, (source, target)) in enumerate(ROUTES.items()):
            (directory / f"p{number}.yaml").write_text(pipeline(source, target))
            found = times(f"p{number}.yaml", directory, environment, options.repeat)
            middle = statistics.median(found)
            broken |= middle > BOUND_MS
            print(
                f"{title:24} p50 {middle:5.0f} ms  ({min(found):.0f} to {max(found):.0f}; at most {BOUND_MS:.0f}),"
                f" {options.tables} tables a database"
            )
    return int(broken)


def family(alias: str) -> str:
    """The connector family of an alias."""
    return COMPONENTS[alias].split(".")[0]


if __name__ == "__main__":
    sys.exit(main())
