"""The short form of the soak, and that it tells what it is there to find."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import soak
from soaking import tables

from osiris_core.testing.cli import unmeasured_environment
from osiris_core.testing.servers import MySQLDatabase, PostgresDatabase

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "soak.py"


def test_twenty_seconds_lose_nothing_and_nothing_grows() -> None:
    command = [sys.executable, str(PROGRAM), "--short"]
    done = subprocess.run(command, env=unmeasured_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = r"[1-9]\d* rounds, [1-9]\d* runs, [1-9]\d* (?:kills|connections cut), \d+ runs again, [1-9][\d,]* rows"
    assert len(re.findall(figures, done.stdout)) == 2, done.stdout


@pytest.mark.parametrize(("late", "told"), [(0.0, 0), (15.0, 0), (17.0, 1)])
def test_what_grows_in_the_second_half_is_told(late: float, told: int) -> None:
    warming_up = [float(number) for number in range(25)]
    level = [100.0 + number % 3 for number in range(38)]
    samples = {"megabytes": [*warming_up, *level, *(value + late for value in level)]}
    assert len(soak.grown(samples, soak.ALLOWED_GROWTH)) == told


def test_a_row_that_differs_is_told(mysql_database: MySQLDatabase, postgres_database: PostgresDatabase) -> None:
    tables.create(mysql_database)
    columns = "id BIGINT, amount NUMERIC(30,6), ratio FLOAT8, name TEXT, note TEXT, at TIMESTAMP, raw BYTEA"
    postgres_database.execute(f"CREATE TABLE merged ({columns})")
    row = (1, "1.000000", None, "Žofie", "", "2026-11-23 10:00:00.000001", b"x")
    mysql_database.insert("merged", [row, (2, *row[1:])])
    postgres_database.insert("merged", [row, (2, *row[1:])])
    assert tables.compare("merge", mysql_database, postgres_database) == (2, [])
    postgres_database.execute("UPDATE merged SET note = NULL WHERE id = 2; INSERT INTO merged SELECT * FROM merged")
    _, different = tables.compare("merge", mysql_database, postgres_database)
    assert different[0] == "merge: of 2 rows 1 are lost, 3 were not in the source"
