"""``create: if_missing`` makes an equal table: the source's primary key and comments, from each system to each."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from osiris_core import RunError, Table
from osiris_core.data import as_reader, source_comment, source_primary_key, with_source_table, with_target_names
from osiris_core.errors import OsirisError
from osiris_core.run.faults import StepFault, explain
from osiris_core.secrets import Redactor
from osiris_core.testing import Connector, people, stream_of

SYSTEMS = ("mysql", "postgres", "duckdb")
PAIRS = list(itertools.product(SYSTEMS, SYSTEMS))
Made = Callable[[str], Connector]

#: Texts that some quoting somewhere gets wrong. Everyone keeps these.
TEXTS = (
    "it's", '"quoted"', "back\\slash", "\\'", "\\", "'", "''", "%s 100% %% %(name)s", "two\nlines\r\n\tand a tab",
    "`tick`", "-- no comment", "/* nor this */", "$$ $1 :name ? {x}", "  blanks  ", "Příliš žluťoučký 中文", "\x1a",
    "x" * 1024,
)  # fmt: skip
EMOJI = "a horse 🐎"
TABLE_COMMENT = 'who\'s "who" \\ 100%\nsecond line'
COMMENTS = {"place": "where 'it' is \\ 5%", "total": 'in €\n"net"'}
COLUMNS = {"place": "VARCHAR(40) NOT NULL", "id": "BIGINT NOT NULL", "total": "DECIMAL(12,2)", "note": "VARCHAR(80)"}


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """A connector of a system, over one database of this test's own for each."""

    def make(system: str) -> Connector:
        if system == "duckdb":
            path = tmp_path / "shop.duckdb"

            def execute(sql: str) -> None:
                with duckdb.connect(str(path)) as connection:
                    connection.execute(sql)

            return Connector("duckdb.table", {"path": str(path)}, tmp_path, execute=execute)
        database = request.getfixturevalue(f"{system}_database")
        tick = "`" if system == "mysql" else '"'
        return Connector(
            f"{system}.table",
            database.fields,
            tmp_path,
            execute=database.execute,
            quote=lambda name: f"{tick}{name}{tick}",
        )

    return make


def literal(system: str, text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped.replace(chr(92), chr(92) * 2)}'" if system == "mysql" else f"'{escaped}'"


def make_source(connector: Connector, name: str, names: dict[str, str] | None = None, emoji: bool = False) -> None:
    """A table by the system's own SQL: the key in another order than the columns, comments, two rows."""
    system, quote, execute = connector.component.partition(".")[0], connector.quote, connector.execute
    assert execute is not None
    texts = {**COMMENTS, **({"note": EMOJI} if emoji else {})}
    quoted = {column: quote((names or {}).get(column, column)) for column in COLUMNS}
    inline = {column: f" COMMENT {literal(system, text)}" for column, text in texts.items() if system == "mysql"}
    lines = [f"{quoted[column]} {kind}{inline.get(column, '')}" for column, kind in COLUMNS.items()]
    lines.append(f"PRIMARY KEY ({quoted['id']}, {quoted['place']})")
    # The key holds two places that a collation without case would take for one.
    of_mysql = f" COLLATE utf8mb4_bin COMMENT {literal(system, TABLE_COMMENT)}" if system == "mysql" else ""
    execute(f"CREATE TABLE {quote(name)} ({', '.join(lines)}){of_mysql}")
    if system != "mysql":
        execute(f"COMMENT ON TABLE {quote(name)} IS {literal(system, TABLE_COMMENT)}")
        for column, text in texts.items():
            execute(f"COMMENT ON COLUMN {quote(name)}.{quoted[column]} IS {literal(system, text)}")
    execute(f"INSERT INTO {quote(name)} VALUES ('a', 2, 1.50, 'x'), ('A', 2, NULL, NULL)")


def copy(source: Connector, target: Connector, read: dict[str, Any], write: dict[str, Any]) -> None:
    """What a run does with the two drivers, new names included."""
    config = target.write_config(write.pop("table"), write.pop("write_mode", "append"), **write)
    stream = source.driver.open_reader(
        source.connection, source.read_config(**{"table": None, **read}), source.context()
    )
    writer = target.driver.open_writer(target.connection, config, target.context())
    try:
        assert writer.begin() is None
        writer.stage(with_target_names(stream, config))
        writer.commit()
    finally:
        writer.close()
        stream.close()


def comments_of(table: Table) -> dict[str, str]:
    return {column.name: column.comment for column in table.columns if column.comment}


def left_out(connector: Connector) -> list[str]:
    return [message for code, message in connector.warnings if code == "OSI-R128"]


# -- what readers hand on ----------------------------------------------------------------------------------
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_reader_hands_on_the_key_and_the_comments_of_a_table_with_every_batch(system: str, made: Made) -> None:
    connector = made(system)
    make_source(connector, "shop orders")
    stream = connector.driver.open_reader(connector.connection, {"table": "shop orders"}, connector.context())
    assert source_primary_key(stream.schema) == ("id", "place")
    assert source_comment(stream.schema) == TABLE_COMMENT
    assert {item.name: source_comment(item) for item in stream.schema if source_comment(item)} == COMMENTS
    batches = list(stream)
    assert sum(batch.num_rows for batch in batches) == 2
    assert all(pa.schema(batch.schema).equals(pa.schema(stream.schema), check_metadata=True) for batch in batches)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_query_has_neither_and_a_unique_key_is_not_the_primary_one(system: str, made: Made) -> None:
    connector = made(system)
    assert connector.execute is not None
    connector.execute("CREATE TABLE t (id BIGINT NOT NULL UNIQUE, code BIGINT)")
    assert source_primary_key(connector.read("t").schema) == ()
    make_source(connector, "orders")
    schema = connector.read(None, query="SELECT id, place, total FROM orders").schema
    assert (source_primary_key(schema), source_comment(schema)) == ((), "")
    assert [source_comment(item) for item in schema] == ["", "", ""]


def test_a_date_that_is_read_as_null_is_no_key(made: Made) -> None:
    connector = made("mysql")
    assert connector.execute is not None
    connector.execute("SET sql_mode = ''; CREATE TABLE t (day DATE PRIMARY KEY); INSERT INTO t VALUES ('2024-02-00')")
    assert source_primary_key(connector.read("t", columns=["day"], on_invalid_date="null").schema) == ()


def test_duckdb_hands_on_names_as_the_columns_spell_them(made: Made) -> None:
    connector = made("duckdb")
    assert connector.execute is not None
    connector.execute(
        'CREATE SCHEMA sales; CREATE TABLE sales.Orders ("Id" INT, PLACE TEXT, PRIMARY KEY (place, id));'
        " COMMENT ON TABLE sales.orders IS 'sold'; CREATE VIEW v AS FROM sales.orders; COMMENT ON VIEW v IS 'seen'"
    )
    sold, seen = connector.read("SALES.orders").schema, connector.read("v").schema
    assert (source_primary_key(sold), source_comment(sold)) == (("PLACE", "Id"), "sold")
    assert (source_primary_key(seen), source_comment(seen)) == ((), "seen")


# -- from each to each -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_table_that_is_made_has_the_key_and_the_comments_of_its_source(source: str, target: str, made: Made) -> None:
    """The key in its own order, every text as it was; what MySQL cannot keep is said, and its types do not change."""
    origin, there = made(source), made(target)
    emoji = source != "mysql"
    make_source(origin, "orders", emoji=emoji)
    copy(origin, there, {"table": "orders"}, {"table": "copied"})
    table = there.table("copied")
    assert (table.primary_key, table.comment) == (("id", "place"), TABLE_COMMENT)
    kept = emoji and target != "mysql"
    assert comments_of(table) == {**COMMENTS, **({"note": EMOJI} if kept else {})}
    assert len(left_out(there)) == (emoji and not kept)
    assert sorted(there.read("copied")["place"].to_pylist()) == ["A", "a"]

    there.write("plain", pa.table(origin.read("orders")).replace_schema_metadata(None))
    plain = {column.name: column.type for column in there.table("plain").columns}
    types = {column.name: column.type for column in table.columns}
    assert [types[name] for name in ("id", "total", "note")] == [plain[name] for name in ("id", "total", "note")]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_key_is_made_whole_or_not_at_all_and_what_is_asked_for_comes_first(
    source: str, target: str, made: Made
) -> None:
    origin, there = made(source), made(target)
    make_source(origin, "orders")
    copy(origin, there, {"table": "orders", "columns": ["id", "total"]}, {"table": "part"})
    assert (there.table("part").primary_key, comments_of(there.table("part"))) == ((), {"total": COMMENTS["total"]})
    keys = ["place", "id"]
    copy(origin, there, {"table": "orders"}, {"table": "merged", "write_mode": "merge", "merge_keys": keys})
    assert there.table("merged").primary_key == ("place", "id")
    copy(origin, there, {"table": "orders"}, {"table": "asked", "primary_key": keys})
    assert there.table("asked").primary_key == ("place", "id")
    copy(origin, there, {"query": "SELECT * FROM orders"}, {"table": "queried"})
    assert (there.table("queried").primary_key, there.table("queried").comment) == ((), "")


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_new_names_reach_the_key_and_the_comments(source: str, target: str, made: Made) -> None:
    origin, there = made(source), made(target)
    names = {"place": "The Place", "id": "OrderID", "total": "Total", "note": "Note"}
    make_source(origin, "orders", names)
    copy(origin, there, {"table": "orders"}, {"table": "copied", "naming": "snake"})
    table = there.table("copied")
    assert table.primary_key == ("order_id", "the_place")
    assert comments_of(table) == {"the_place": COMMENTS["place"], "total": COMMENTS["total"]}


@pytest.mark.parametrize("target", SYSTEMS)
def test_rows_that_come_twice_meet_the_key_unless_they_are_merged(target: str, made: Made) -> None:
    origin, there = made("duckdb"), made(target)
    make_source(origin, "orders")
    copy(origin, there, {"table": "orders"}, {"table": "copied"})
    with pytest.raises(Exception) as caught:
        copy(origin, there, {"table": "orders"}, {"table": "copied"})
    error: OsirisError = explain(StepFault("load", there.driver, caught.value), Redactor(), moved=True)
    assert error.code == "OSI-R104"
    copy(origin, there, {"table": "orders"}, {"table": "copied", "write_mode": "replace"})
    merge = {"write_mode": "merge", "merge_keys": ["id", "place"], "delete_missing": True}
    copy(origin, there, {"table": "orders"}, {"table": "copied", **merge})
    assert there.read("copied").num_rows == 2


# -- comments ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("target", SYSTEMS)
@pytest.mark.parametrize("added", [False, True])
def test_every_text_is_kept_or_missed_aloud(target: str, added: bool, made: Made) -> None:
    """On columns that are made with the table, and on those that on_drift: add_columns adds."""
    there = made(target)
    unkept = {"mysql": [EMOJI, "a\0b", "x" * 1025], "postgres": ["a\0b"], "duckdb": []}[target]
    texts = dict(enumerate([*TEXTS, EMOJI, "a\0b", "x" * 1025]))
    data = people([1])
    if added:
        there.write("t", data)
    for index in texts:
        data = data.append_column(f"c{index:02}", pa.array([index]))
    data = data.cast(with_source_table(data.schema, comments={f"c{index:02}": text for index, text in texts.items()}))
    there.write("t", data, "replace", on_drift="add_columns")
    kept = {f"c{index:02}": text for index, text in texts.items() if text not in unkept}
    assert comments_of(there.table("t")) == kept
    warned = " ".join(left_out(there))
    assert [name for name in (f"c{index:02}" for index in texts) if name in warned] == [
        f"c{index:02}" for index, text in texts.items() if text in unkept
    ]


@pytest.mark.parametrize(("comment", "kept"), [("ž" * 2048, True), ("ž" * 2049, False), (EMOJI, False)])
def test_a_tables_comment_that_mysql_cannot_keep_is_missed_aloud(comment: str, kept: bool, made: Made) -> None:
    there = made("mysql")
    there.write("t", people([1]).cast(with_source_table(people([]).schema, comment=comment)))
    assert there.table("t").comment == (comment if kept else "")
    assert ["the table" in message for message in left_out(there)] == ([] if kept else [True])


# -- keys that a system cannot have ------------------------------------------------------------------------
def keyed(*kinds: pa.Field) -> pa.Table:
    schema = pa.schema([pa.field(f"k{index}", item.type, False, item.metadata) for index, item in enumerate(kinds)])
    columns = [pa.array(["1"] if pa.types.is_string(item.type) else [1], item.type) for item in schema]
    return pa.table(columns, schema=with_source_table(schema, primary_key=schema.names))


_JSON = pa.field("j", pa.string(), metadata={b"osiris.type": b"json"})
_SPAN = pa.field("s", pa.duration("us"), metadata={b"osiris.type": b"time"})


@pytest.mark.parametrize(
    ("target", "data"),
    [
        ("mysql", keyed(*[pa.field("t", pa.string())] * 4)),
        ("mysql", keyed(_JSON)),
        ("postgres", keyed(_JSON)),
        ("duckdb", keyed(_SPAN)),
    ],
    ids=["too long", "mysql", "postgres", "duckdb"],
)
def test_a_key_that_the_target_cannot_have_is_missed_aloud_unless_it_was_asked_for(
    target: str, data: pa.Table, made: Made
) -> None:
    there = made(target)
    assert there.write("t", data).written == 1
    assert there.table("t").primary_key == ()
    assert len(left_out(there)) == 1
    with pytest.raises(Exception) as caught:
        there.write("u", data, primary_key=data.schema.names)
    assert explain(StepFault("load", there.driver, caught.value), Redactor(), moved=True).exit_code
    assert there.discover("u").tables == ()


@pytest.mark.parametrize("target", SYSTEMS)
@pytest.mark.parametrize("setting", ["primary_key", "merge_keys"])
def test_a_key_of_a_column_that_does_not_come_is_refused_by_name(target: str, setting: str, made: Made) -> None:
    there = made(target)
    config: dict[str, Any] = {setting: ["idd"]}
    with pytest.raises(RunError, match=f'{setting}: the source has no column "idd"') as caught:
        there.write("t", people([1]), "merge" if setting == "merge_keys" else "append", **config)
    assert (caught.value.code, caught.value.hint) == ("OSI-R105", 'did you mean "id"?')
    assert there.discover("t").tables == ()


# -- DuckDB's own way --------------------------------------------------------------------------------------
def test_a_statement_that_duckdb_takes_over_makes_an_equal_table(made: Made, tmp_path: Path) -> None:
    """The writer runs the reader's statement: no row goes by, and the description still does."""
    from osiris_duckdb.streams import Column, QueryStream, Source

    there = made("duckdb")
    file = tmp_path / "people.csv"
    file.write_text("id,name\n1,a\n")
    schema = with_source_table(
        pa.schema([("id", pa.int64()), ("name", pa.string())]),
        primary_key=["id"],
        comment=TABLE_COMMENT,
        comments={"name": EMOJI},
    )
    columns = [Column("id", "BIGINT"), Column("name", "VARCHAR")]
    source = Source(f"SELECT * FROM read_csv('{file}')", {}, columns, files=(file,))
    writer = there.driver.open_writer(there.connection, there.write_config("t", "append"), there.context())
    try:
        writer.begin()
        assert writer.stage(QueryStream(schema, iter(()), source)) == 1
        writer.commit()
    finally:
        writer.close()
    table = there.table("t")
    assert (table.primary_key, table.comment, comments_of(table)) == (("id",), TABLE_COMMENT, {"name": EMOJI})


def test_what_duckdb_cannot_scan_keeps_its_description(made: Made) -> None:
    there = made("duckdb")
    wide = pa.field("wide", pa.decimal256(60, 2))
    schema = with_source_table(pa.schema([wide]), primary_key=["wide"], comments={"wide": "sixty digits"})
    there.write(
        "t", as_reader(stream_of(pa.table([pa.array([None], wide.type).fill_null(1)], schema=schema))).read_all()
    )
    assert there.table("t").primary_key == ("wide",)
    assert comments_of(there.table("t")) == {"wide": "sixty digits"}
