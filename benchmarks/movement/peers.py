"""The peers of the data benchmark: where they come from, and how each moves the table.

Python peers live in a virtual environment of their own, so that no version of theirs meets one of ours. A peer that
cannot be had is an error of the benchmark, which says how to get it; it never goes missing from the table.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGES = (
    "dlt[postgres]==1.31.0",
    "connectorx==0.4.6",
    "adbc-driver-postgresql==1.13.0",
    "pymysql",
    "sqlalchemy",
    "sling-linux-amd64==1.4.11",
    "duckdb==1.4.4",
    "duckdb-ext-mysql",
    "duckdb-ext-postgres",
)
HERE = Path(__file__).parent
COLUMNS = [
    "id", "customer_id", "status", "quantity", "flag", "amount", "rate",
    "ordered_at", "updated_at", "due", "email", "note", "attributes",
]  # fmt: skip
#: The same table for everybody who writes into a table that is there.
CREATE = (
    "CREATE TABLE wide (id bigint PRIMARY KEY, customer_id integer NOT NULL, status text NOT NULL,"
    " quantity smallint NOT NULL, flag smallint, amount numeric(12,2) NOT NULL, rate double precision,"
    " ordered_at timestamp(6) NOT NULL, updated_at timestamptz(3), due date, email text NOT NULL, note text,"
    " attributes jsonb NOT NULL)"
)
_OTHERS = [name for name in COLUMNS if name != "id"]
#: What somebody who knows PostgreSQL writes by hand after the pipe.
_SETS = ", ".join(f"{name} = excluded.{name}" for name in _OTHERS)
_OLD, _NEW = (", ".join(f"{side}.{name}" for name in _OTHERS) for side in ("t", "excluded"))
MERGE = (
    "INSERT INTO wide AS t SELECT * FROM {staging} "
    f"ON CONFLICT (id) DO UPDATE SET {_SETS} WHERE ({_OLD}) IS DISTINCT FROM ({_NEW})"
)


class MissingPeerError(Exception):
    """A peer is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Place:
    """The two databases, as plain fields, and a directory for whatever a peer leaves behind."""

    mysql: Mapping[str, Any]
    postgres: Mapping[str, Any]
    work: Path

    def orders(self, **more: Any) -> str:
        """For the peers that are Python programs."""
        return json.dumps({"mysql": self.mysql, "postgres": self.postgres, "work": str(self.work), **more})


def environment(directory: Path) -> Path:
    """The peers' own virtual environment in ``directory``, made when it is not there. Returns its ``bin``."""
    binaries = directory / "bin"
    mark = directory / "complete"
    if not mark.exists():
        venv.create(directory, with_pip=True)
        command = [str(binaries / "python"), "-m", "pip", "install", "-q", *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise MissingPeerError(f"pip cannot install the peers: {done.stderr.strip()[-500:]}")
        mark.write_text("\n".join(PACKAGES))
    return binaries


def program(*names: str) -> str:
    """A program of the system. Raises MissingPeerError."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise MissingPeerError(f"{names[0]} is not installed (Debian: apt-get install {names[-1]})")
    return found


# -- how each moves the table ------------------------------------------------------------------------------
def pipe(place: Place, binaries: Path, mode: str) -> list[str]:
    """``mariadb --quick -B -N | psql \\copy``, as it is written by hand."""
    my, pg = place.mysql, place.postgres
    defaults = place.work / "client.cnf"
    defaults.touch(0o600)
    lines = ["[client]", "protocol=tcp", *(f"{name}={my[name]}" for name in ("host", "port", "user", "password"))]
    defaults.write_text("\n".join(lines))
    source = [program("mariadb", "mariadb-client"), f"--defaults-file={defaults}", "--quick", "-B", "-N"]
    source += ["--init-command=SET time_zone='+00:00'", str(my["database"]), "-e", "SELECT * FROM wide"]
    copy = "\\copy {} FROM pstdin WITH (NULL 'NULL')"
    script = ["\\set ON_ERROR_STOP 1", "BEGIN;"]
    if mode == "append":
        script.append(copy.format("wide"))
    else:
        script += ["CREATE TEMP TABLE staged (LIKE wide) ON COMMIT DROP;", copy.format("staged"), "ANALYZE staged;"]
        script.append(MERGE.format(staging="staged") + ";")
    path = place.work / "pipe.sql"
    path.write_text("\n".join([*script, "COMMIT;"]) + "\n")
    address = f"host={pg['host']} port={pg['port']} dbname={pg['database']} user={pg['user']} password={pg['password']}"
    target = [program("psql", "postgresql-client"), "-q", "-X", address, "-f", str(path)]
    return ["bash", "-o", "pipefail", "-c", f"{shlex.join(source)} | PGTZ=UTC {shlex.join(target)}"]


def dlt_best(place: Place, binaries: Path, mode: str) -> list[str]:
    """dlt with connectorx and ADBC."""
    return _dlt(place, binaries, mode, "best")


def dlt_defaults(place: Place, binaries: Path, mode: str) -> list[str]:
    """dlt as it comes."""
    return _dlt(place, binaries, mode, "defaults")


def _dlt(place: Place, binaries: Path, mode: str, set_up: str) -> list[str]:
    script = str(HERE / "dlt_move.py")
    return [str(binaries / "python"), script, set_up, mode, place.orders(schema=f"dlt_{set_up}")]


def duckdb(place: Place, binaries: Path, mode: str) -> list[str]:
    """DuckDB's extensions."""
    return [str(binaries / "python"), str(HERE / "duckdb_move.py"), mode, place.orders(merge_sql=MERGE)]


def pgloader(place: Place, binaries: Path, mode: str) -> list[str]:
    """pgloader into the table that is there; it does not merge."""
    my, pg = place.mysql, place.postgres
    path = place.work / "wide.load"
    addresses = [
        f"{scheme}://{db['user']}:{db['password']}@{db['host']}:{db['port']}/{db['database']}"
        for scheme, db in (("mysql", my), ("postgresql", pg))
    ]
    path.write_text(
        f"LOAD DATABASE FROM {addresses[0]} INTO {addresses[1]}\n"
        # Debian's build has a heap of 1 GB, which its own defaults (100,000 rows ahead) exhaust on this table.
        "WITH data only, workers = 2, concurrency = 1, prefetch rows = 10000, batch rows = 10000\n"
        "SET PostgreSQL PARAMETERS timezone to 'UTC'\n"
        "CAST type tinyint to smallint drop typemod\n"
        "INCLUDING ONLY TABLE NAMES MATCHING 'wide'\n"
        f"ALTER SCHEMA '{my['database']}' RENAME TO 'public';\n"
    )
    return [program("pgloader"), "--quiet", "--on-error-stop", str(path)]


def sling(place: Place, binaries: Path, mode: str) -> list[str]:
    """sling; it makes its own table."""
    my, pg = place.mysql, place.postgres
    found = next(binaries.parent.rglob("sling-linux-amd64"), None)
    if found is None:
        raise MissingPeerError("the sling binary is not where its wheel puts it")
    source = f"mysql://{my['user']}:{my['password']}@{my['host']}:{my['port']}/{my['database']}"
    target = f"postgres://{pg['user']}:{pg['password']}@{pg['host']}:{pg['port']}/{pg['database']}?sslmode=disable"
    how = ["--mode", "full-refresh"] if mode == "append" else ["--mode", "incremental", "--primary-key", "id"]
    stream = ["--src-stream", f"{my['database']}.wide", "--tgt-object", "public.sling_wide"]
    return [str(found), "run", "--src-conn", source, "--tgt-conn", target, *stream, *how]


#: Name to how it moves the table and which modes it has.
PEERS: dict[str, tuple[Callable[[Place, Path, str], list[str]], tuple[str, ...]]] = {
    "pipe": (pipe, ("append", "merge")),
    "dlt best": (dlt_best, ("append",)),
    "dlt defaults": (dlt_defaults, ("append",)),
    "DuckDB": (duckdb, ("append", "merge")),
    "pgloader": (pgloader, ("append",)),
    "sling": (sling, ("append",)),
}


if __name__ == "__main__":
    print(environment(Path(sys.argv[1])))
