"""The catalog cache: asked as rarely as is safe, and never believed when it may be wrong."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osiris_core.catalog import Catalog, Column, Table
from osiris_core.catalog.store import Catalogs
from osiris_core.errors import ConnectError, SecretError

PROBE, DISCOVER = ("probe", "shop.json"), ("discover", "shop.json")
ID = Column("id", "bigint", "int64", nullable=False)


def get(shelf: Any, alias: str = "shop", **options: Any) -> Catalog:
    """What a new process gets."""
    return shelf.session(**options).catalogs.get(alias, "shelf.table")


def test_the_second_process_only_probes(shelf: Any) -> None:
    first = get(shelf)
    assert shelf.calls() == [PROBE, DISCOVER]
    second = get(shelf)
    assert shelf.calls() == [PROBE]
    assert second == first
    assert second.table("orders") is not None


def test_an_alteration_is_seen_at_once(shelf: Any) -> None:
    get(shelf)
    shelf.alter("shop", columns=(ID,))
    assert [column.name for column in get(shelf).tables[0].columns] == ["id"]
    assert shelf.calls() == [PROBE, DISCOVER, PROBE, DISCOVER]


def test_an_alteration_within_one_session_is_seen_too(shelf: Any) -> None:
    catalogs = shelf.session().catalogs
    before = catalogs.get("shop", "shelf.table")
    shelf.alter("shop", primary_key=())
    assert catalogs.get("shop", "shelf.table").fingerprint != before.fingerprint


def test_an_alteration_during_the_discovery_is_found_by_the_next_probe(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is taken before the discovery: what changes in between can only make it look stale."""
    from osiris_shelf.driver import ShelfTable

    discover = ShelfTable.discover

    def altered_meanwhile(self: Any, connection: Any, scope: Any) -> Catalog:
        found = discover(self, connection, scope)
        shelf.alter("shop", primary_key=())
        return found

    monkeypatch.setattr(ShelfTable, "discover", altered_meanwhile)
    assert get(shelf).tables[0].primary_key == ("id",)
    monkeypatch.undo()
    shelf_calls_before = shelf.calls()
    assert DISCOVER in shelf_calls_before
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "shelf")
    monkeypatch.setenv("SHOP_PASSWORD", "x")
    assert get(shelf).tables[0].primary_key == ()


def test_no_stale_answer_in_200_random_alterations(shelf: Any) -> None:
    dice = random.Random(20261123)
    stale = 0
    tables = [Table("orders", (ID, Column("a", "text", "string")), primary_key=("id",))]
    for _ in range(200):
        tables = _altered(tables, dice)
        shelf.tables("shop", *tables)
        seen = get(shelf, refresh=False)
        stale += {t.name: t.fingerprint for t in seen.tables} != {t.name: t.fingerprint for t in tables}
        assert get(shelf) == seen
    assert stale == 0


def _altered(tables: list[Table], dice: random.Random) -> list[Table]:
    """Rename, drop, retype, add a column, drop the key, drop or add a table."""
    if not tables or dice.random() < 0.15:
        return [*tables, Table(f"t{dice.randrange(10**6)}", (ID,), primary_key=("id",))]
    chosen = dice.randrange(len(tables))
    table = tables[chosen]
    column = dice.randrange(len(table.columns))
    kind = dice.choice(["rename", "retype", "add", "drop", "key", "table"])
    columns = list(table.columns)
    if kind == "table":
        return tables[:chosen] + tables[chosen + 1 :]
    if kind == "key":
        table = replace(table, primary_key=() if table.primary_key else (columns[0].name,))
    elif kind == "rename":
        columns[column] = replace(columns[column], name=f"c{dice.randrange(10**6)}")
    elif kind == "retype":
        columns[column] = replace(columns[column], type=f"varchar({dice.randrange(10**6)})", arrow="string")
    elif kind == "add" or len(columns) == 1:
        columns.append(Column(f"c{dice.randrange(10**6)}", "int", "int32"))
    else:
        del columns[column]
    return [*tables[:chosen], replace(table, columns=tuple(columns)), *tables[chosen + 1 :]]


def test_a_new_password_keeps_the_entry_and_a_new_host_does_not(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    get(shelf)
    monkeypatch.setenv("SHOP_PASSWORD", "another one")
    shelf.calls()
    get(shelf)
    assert shelf.calls() == [PROBE]
    file = shelf.root / "osiris_connections.yaml"
    file.write_text(file.read_text().replace("db.internal", "db2.internal"))
    get(shelf)
    assert shelf.calls() == [PROBE, DISCOVER]
    assert len(shelf.cached()) == 2


def test_two_connections_never_share_an_entry(shelf: Any) -> None:
    """Even when they are alike in everything but their alias."""
    (shelf.root / "osiris_connections.yaml").write_text(
        "connections:\n  a: {component: shelf, path: shop.json}\n  b: {component: shelf, path: shop.json}\n"
    )
    get(shelf, "a")
    get(shelf, "b")
    assert shelf.calls() == [PROBE, DISCOVER, PROBE, DISCOVER]
    assert [path.parent.name for path in shelf.cached()] == ["a", "b"]


def test_two_databases_behind_one_alias_never_share_an_entry(shelf: Any) -> None:
    """Two projects (or profiles) that share a state directory and call different databases alike."""
    shelf.alter("ware", name="other")
    file = shelf.root / "osiris_connections.yaml"
    original = file.read_text()
    first = get(shelf)
    file.write_text(original.replace("path: shop.json", "path: ware.json"))
    second = get(shelf)
    file.write_text(original)
    assert [first.tables[0].name, second.tables[0].name] == ["orders", "other"]
    assert get(shelf) == first
    assert {path.parent.name for path in shelf.cached()} == {"shop"}
    assert len(shelf.cached()) == 2


def test_an_override_is_another_connection(shelf: Any) -> None:
    shelf.alter("ware", name="other")
    catalogs = shelf.session().catalogs
    assert catalogs.get("shop", "shelf.table").tables[0].name == "orders"
    assert catalogs.get("shop", "shelf.table", overrides={"path": "ware.json"}).tables[0].name == "other"
    assert catalogs.get("shop", "shelf.table").tables[0].name == "orders"


def test_the_time_to_live_ends_and_zero_always_asks(shelf: Any) -> None:
    session = shelf.session()
    now = datetime(2026, 11, 23, tzinfo=UTC)

    def at(moment: datetime, ttl: int) -> list[tuple[str, str]]:
        catalogs = Catalogs(
            project=replace(session.project, catalog_ttl=ttl),
            plugins=session.plugins,
            registry=session.registry,
            connections=session.connections,
            now=lambda: moment,
        )
        catalogs.get("shop", "shelf.table")
        return shelf.calls()

    assert at(now, 3600) == [PROBE, DISCOVER]
    assert at(now + timedelta(seconds=3599), 3600) == [PROBE]
    assert at(now + timedelta(seconds=3600), 3600) == [PROBE, DISCOVER]
    assert at(now + timedelta(seconds=3600), 0) == [PROBE, DISCOVER]
    assert at(now - timedelta(days=1), 3600) == [PROBE, DISCOVER], "an entry from the future is not believed"


def test_a_driver_without_a_probe_is_asked_each_time(shelf: Any) -> None:
    shelf.tables("shop", Table("orders", (ID,)), blind=True)
    get(shelf)
    get(shelf)
    assert shelf.calls() == [PROBE, DISCOVER, PROBE, DISCOVER]


def test_one_look_asks_each_system_once(shelf: Any) -> None:
    catalogs = shelf.session(refresh=True).catalogs
    with catalogs.one_look():
        first = catalogs.get("shop", "shelf.table")
        shelf.alter("shop", primary_key=())
        assert catalogs.get("shop", "shelf.table") is first
        catalogs.get("ware", "shelf.table")
    assert [name for _, name in shelf.calls()] == ["shop.json"] * 2 + ["ware.json"] * 2
    assert catalogs.get("shop", "shelf.table").tables[0].primary_key == ()


def test_a_name_that_is_no_plain_one_is_asked_for_when_it_is_not_listed(shelf: Any) -> None:
    """A pattern of files, or a name with its schema: no listing shows them."""
    from osiris_shelf.driver import SCOPES

    session = shelf.session()
    SCOPES.clear()
    session.catalogs.get("shop", "shelf.table", ["orders", "missing", "other.orders", "2026-*.csv"])
    assert SCOPES == [(), (), ("2026-*.csv", "other.orders"), ("2026-*.csv", "other.orders")]
    assert len(shelf.cached()) == 2


def test_refresh_asks_again(shelf: Any) -> None:
    get(shelf)
    get(shelf, refresh=True)
    assert shelf.calls() == [PROBE, DISCOVER, PROBE, DISCOVER]


def test_offline_asks_nobody_and_says_so(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = get(shelf)
    shelf.calls()
    shelf.alter("shop", primary_key=())
    monkeypatch.delenv("SHOP_PASSWORD")
    session = shelf.session(offline=True)
    assert session.catalogs.get("shop", "shelf.table") == known
    assert session.catalogs.get("shop", "shelf.table") == known
    assert shelf.calls() == []
    assert len(session.catalogs.notes) == 1
    assert "@shop was not checked since 20" in session.catalogs.notes[0]


def test_offline_without_a_cache_is_refused(shelf: Any) -> None:
    with pytest.raises(ConnectError, match="nothing is cached for @shop") as caught:
        get(shelf, offline=True)
    assert caught.value.code == "OSI-C012"
    assert "osiris discover @shop" in caught.value.hint


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"bigint"', '"int"'),
        lambda text: text.replace('"version":2', '"version":3'),
        lambda text: text.replace('"key":"', '"key":"0'),
        lambda text: text.replace('"catalog":{', '"catalog":{"surprise":1,'),
        lambda text: "[]",
        lambda text: "[" * 100_000,
        lambda text: "\udcff",
    ],
)
def test_a_damaged_entry_heals(shelf: Any, damage: Any) -> None:
    known = get(shelf)
    (entry,) = shelf.cached()
    entry.write_bytes(damage(entry.read_text()).encode(errors="surrogateescape"))
    shelf.calls()
    assert get(shelf) == known
    assert shelf.calls() == [PROBE, DISCOVER]
    get(shelf)
    assert shelf.calls() == [PROBE], "the entry was written anew"


def test_entries_that_nobody_renews_are_forgotten(shelf: Any) -> None:
    get(shelf)
    (entry,) = shelf.cached()
    old, young = entry.with_name("old.json"), entry.with_name("young.json")
    for path, days in ((old, 31), (young, 29)):
        path.write_text("{}")
        moment = datetime.now(UTC).timestamp() - days * 86400
        os.utime(path, (moment, moment))
    get(shelf, refresh=True)
    assert {path.name for path in shelf.cached()} == {entry.name, "young.json"}


def test_an_entry_describes_itself_and_holds_no_secret_and_no_row(shelf: Any) -> None:
    get(shelf)
    (entry,) = shelf.cached()
    value = json.loads(entry.read_text())
    assert entry == shelf.root / ".osiris" / "catalog" / "shop" / entry.name
    assert value["key"] == entry.stem
    assert "db.internal" not in entry.read_text(), "of the connection there is the hash"
    assert value["schema_fingerprint"] == get(shelf).fingerprint
    assert datetime.fromisoformat(value["discovered_at"]).tzinfo is not None
    assert "canary" not in entry.read_text()
    assert set(value["catalog"]["tables"][0]) <= {"name", "columns", "primary_key", "unique_keys", "approximate_rows"}


def test_entries_and_their_directories_are_their_owners_only(shelf: Any) -> None:
    get(shelf)
    (entry,) = shelf.cached()
    rights = [
        path.stat().st_mode & 0o777 for path in (entry, entry.parent, entry.parent.parent, shelf.root / ".osiris")
    ]
    assert rights == [0o600, 0o700, 0o700, 0o700]


def test_a_disk_that_takes_nothing_costs_only_the_cache(shelf: Any) -> None:
    (shelf.root / ".osiris").write_text("a file where the directory should be")
    session = shelf.session()
    assert session.catalogs.get("shop", "shelf.table").tables
    assert session.catalogs.notes == ["the catalog of @shop could not be cached: Not a directory"]


def test_the_drivers_own_error_is_mapped(shelf: Any) -> None:
    (shelf.root / "shop.json").unlink()
    with pytest.raises(ConnectError, match="@shop: the shelf is gone") as caught:
        get(shelf)
    assert (caught.value.code, caught.value.hint, caught.value.retryable) == ("OSI-C010", "put it back", True)


def test_all_missing_secrets_are_named_before_anything_is_asked(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PASSWORD")
    with pytest.raises(SecretError, match="SHOP_PASSWORD"):
        get(shelf)
    assert shelf.calls() == []
