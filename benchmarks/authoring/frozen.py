"""The frozen requests and the databases they are about."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

HERE = Path(__file__).parent
HALVES = ("requests_first_half.yaml", "requests_second_half.yaml")


@dataclass(frozen=True)
class Request:
    """One request, and what a right answer does."""

    id: str
    lang: str
    kind: str
    text: str
    connections: tuple[str, ...]
    comments: bool
    expect: dict[str, Any]

    @property
    def tables(self) -> dict[str, str]:
        """Target table to the SQL that gives its right content; empty when the request must be declined."""
        if "sql" in self.expect:
            return {self.expect["table"]: self.expect["sql"]}
        return dict(self.expect.get("tables", {}))


def load_requests() -> list[Request]:
    """Every request. Raises SystemExit when a frozen file is not what it was."""
    check_frozen("requests.sha256")
    return [_request(item) for half in HALVES for item in yaml.safe_load((HERE / half).read_text())]


def check_frozen(hashes: str) -> None:
    """Raises SystemExit when a file that ``hashes`` names is not what it was when it was frozen."""
    for line in (HERE / hashes).read_text().splitlines():
        digest, name = line.split()
        if hashlib.sha256((HERE / name).read_bytes()).hexdigest() != digest:
            raise SystemExit(f"{name} was changed after it was frozen")


def _request(item: dict[str, Any]) -> Request:
    return Request(
        item["id"],
        item["lang"],
        item["kind"],
        item["request"],
        tuple(item.get("connections", ("shop", "crm"))),
        bool(item.get("comments")),
        item["expect"],
    )


def make_project(directory: Path, connections: tuple[str, ...]) -> None:
    """A project with the named databases to read and an empty ``lake`` to write."""
    directory.mkdir(parents=True)
    lines = ["connections:"]
    for name in (*connections, "lake"):
        lines.append(f"  {name}: {{component: duckdb, path: {name}.duckdb}}")
        with duckdb.connect(str(directory / f"{name}.duckdb")) as database:
            if name != "lake":
                database.execute((HERE / f"{name}.sql").read_text())
    (directory / "osiris_connections.yaml").write_text("\n".join(lines) + "\n")
    (directory / "osiris.yaml").write_text("validation: strict\n")


def differing_rows(directory: Path, connections: tuple[str, ...], table: str, sql: str) -> int | None:
    """How many rows the target and ``sql`` do not share; None when the target or one of its columns is missing."""
    with duckdb.connect() as database:
        for name in (*connections, "lake"):
            database.execute(f"ATTACH '{directory / f'{name}.duckdb'}' AS {name} (READ_ONLY)")
        wanted = [row[0] for row in database.execute(f"DESCRIBE {sql}").fetchall()]
        try:
            found = [row[0] for row in database.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]
        except duckdb.CatalogException:
            return None
        if sorted(found) != sorted(wanted):
            return None
        columns = ", ".join(f'"{name}"' for name in wanted)
        actual = f"SELECT {columns} FROM {table}"
        difference = f"({sql}) EXCEPT ALL ({actual})", f"({actual}) EXCEPT ALL ({sql})"
        counts = [database.execute(f"SELECT count(*) FROM ({text})").fetchall() for text in difference]
        return sum(int(rows[0][0]) for rows in counts)
