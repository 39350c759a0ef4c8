"""Fixtures of the REST channel: the PostgREST double over a real PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osiris_core.testing.servers import PostgresDatabase

sys.path.insert(0, str(Path(__file__).parent))

from live_project import LIVE_FIELDS, missing
from postgrest_double import PostgrestDouble, jwt

_DESELECTED = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of a live project that the environment does not name: never skipped, never silent."""
    absent = {item: missing(channel) for item in items if (channel := _live_channel(item))}
    left_out = [item for item in items if absent.get(item)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
        config.stash[_DESELECTED] = [f"{item.name}: set {', '.join(absent[item])}" for item in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which tests of a live project did not run, and what switches them on."""
    lines = config.stash.get(_DESELECTED, [])
    if config.getoption("numprocesses", None):  # the workers deselect; this process collects nothing
        lines = [
            f"live tests of {channel}: set {', '.join(missing(channel))}" for channel in LIVE_FIELDS if missing(channel)
        ]
    for line in lines:
        terminalreporter.write_line(f"DESELECTED {line}")


def _live_channel(item: pytest.Item) -> str:
    """``sql`` or ``rest`` for a test of a live project, else ``""``."""
    call = getattr(item, "callspec", None)
    return str(call.params.get("live_channel", "")) if call is not None else ""


@pytest.fixture
def rest(postgres_database: PostgresDatabase) -> Iterator[PostgrestDouble]:
    """The double before this test's database. A request that it does not implement fails the test."""
    with PostgrestDouble(postgres_database.connect) as double:
        yield double
    assert double.unsupported == []


@pytest.fixture
def rest_fields(rest: PostgrestDouble) -> dict[str, object]:
    """The fields of a REST connection with a service role key."""
    return {"url": rest.url, "key": jwt("service_role"), "channel": "rest"}
