"""Writing: values, keys and everything that hangs on a table, against a real server. TRAPS' rows by name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from osiris_core import DriftError, OsirisError, ReconciliationError, RunError
from osiris_core.data import field, with_source_table
from osiris_core.testing import Connector, edge_table, people, rows_of
from osiris_core.testing.servers import PostgresDatabase


def table_of(*columns: tuple[pa.Field, Sequence[Any]]) -> pa.Table:
    fields = [arrow for arrow, _ in columns]
    return pa.table([pa.array(values, arrow.type) for arrow, values in columns], schema=pa.schema(fields))


def ids(*values: int | None) -> tuple[pa.Field, Sequence[Any]]:
    return pa.field("id", pa.int64()), values


# -- values ------------------------------------------------------------------------------------------------
def test_without_pgpq_every_edge_value_is_the_same(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    """MOVEMENT: no aarch64 wheel of pgpq: the plain encoder takes its place."""
    monkeypatch.setitem(sys.modules, "pgpq", None)
    data = edge_table()
    connector.write("t", data)
    assert rows_of(connector.read("t")) == rows_of(data)


def test_unsigned_64_is_numeric_and_exact(connector: Connector, postgres_database: PostgresDatabase) -> None:
    """TRAPS: BIGINT UNSIGNED max; dlt's load fails half-way, ADBC makes it -1."""
    connector.write("t", table_of((pa.field("u", pa.uint64()), [2**64 - 1, 0, None])))
    assert postgres_database.query("SELECT u, pg_typeof(u)::text FROM t ORDER BY u") == [
        (Decimal(0), "numeric"),
        (Decimal(2**64 - 1), "numeric"),
        (None, "numeric"),
    ]


def test_time_spans_are_intervals(connector: Connector, postgres_database: PostgresDatabase) -> None:
    """TRAPS: TIME 838:59:59, -01:30:00."""
    spans = [timedelta(hours=838, minutes=59, seconds=59), -timedelta(hours=1, minutes=30)]
    connector.write("t", table_of((field("s", pa.duration("us"), osiris="time"), spans)))
    assert postgres_database.query("SELECT s::text FROM t ORDER BY s") == [("-01:30:00",), ("838:59:59",)]


def test_json_keeps_its_text_unless_jsonb_is_asked_for(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    """TRAPS: JSON re-serialised, digits lost."""
    text = '{"b" : 1.10, "a":12345678901234567890.123456789,  "a": 2}'
    data = table_of((field("j", pa.string(), osiris="json"), [text]))
    connector.write("t", data)
    connector.write("b", data, json_type="jsonb")
    assert postgres_database.query("SELECT j::text FROM t") == [(text,)]
    assert postgres_database.query("SELECT j::text FROM b") == [('{"a": 2, "b": 1.10}',)]


def test_bits_sets_enums_and_empty_bytes(connector: Connector, postgres_database: PostgresDatabase) -> None:
    """TRAPS: SET / ENUM / BIT(1) / empty BLOB; dlt crashes on SET."""
    data = table_of(
        (field("s", pa.string(), osiris="set"), ["a,b"]),
        (field("e", pa.string(), osiris="enum"), [""]),
        (field("one", pa.bool_(), source="mysql:bit(1)"), [True]),
        (field("many", pa.string(), osiris="bit", source="mysql:bit(5)"), ["00101"]),
        (pa.field("blob", pa.binary()), [b""]),
    )
    connector.write("t", data)
    found = postgres_database.query("SELECT s, e, one, many::text, length(blob), pg_typeof(many)::text FROM t")
    assert found == [("a,b", "", True, "00101", 0, "bit")]


def test_a_value_beyond_its_column_names_column_and_key(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, n int4)")
    data = table_of(ids(1, 2, 3), (pa.field("n", pa.uint32()), [1, 2**31, 5]))
    with pytest.raises(RunError, match=r'column "n" \(integer\).*first at id=2'):
        connector.write("t", data)
    assert connector.rows("t") == []


def test_what_only_the_server_refuses_names_column_and_row(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute("CREATE TABLE t (id int8, s varchar(3))")
    with pytest.raises(Exception, match="too long") as caught:
        connector.write("t", table_of(ids(1, 2), (pa.field("s", pa.string()), ["abc", "abcd"])))
    fault = connector.driver.map_error(caught.value)
    assert fault is not None
    assert (fault.code, fault.kind) == ("OSI-R102", "data")
    assert 'in column "s", row 2 of the source' in fault.message


@pytest.mark.parametrize(
    ("text", "strip", "replaced"),
    [
        ('{"a": "\\u0000"}', '{"a": ""}', '{"a": "\ufffd"}'),
        ('{"a": "x\\u0000\\u0000\\u0000y"}', '{"a": "xy"}', '{"a": "x\ufffd\ufffd\ufffdy"}'),
        ('{"a": "\\\\u0000"}', '{"a": "\\\\u0000"}', '{"a": "\\\\u0000"}'),
        ('["\\\\\\u0000"]', '["\\\\"]', '["\\\\\ufffd"]'),
    ],
)
def test_nul_in_json_is_refused_or_counted(
    connector: Connector, postgres_database: PostgresDatabase, text: str, strip: str, replaced: str
) -> None:
    r"""TRAPS: text with NUL, \u0000 in JSON; dlt silently strips. A backslash before it makes it plain text."""
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, j jsonb)")
    data = table_of(ids(7), (field("j", pa.string(), osiris="json"), [text]))
    harmless = text == strip
    if not harmless:
        with pytest.raises(RunError, match=r'column "j" has 1 value.*id=7'):
            connector.write("t", data)
    for on_nul, expected in (("strip", strip), ("replace", replaced)):
        result = connector.write("t", data, "replace", on_nul=on_nul)
        assert result.coerced == ({} if harmless else {"on_nul": 1})
        assert postgres_database.query("SELECT j::text FROM t") == [(expected,)]


def test_nul_in_text_is_refused_or_counted(connector: Connector, postgres_database: PostgresDatabase) -> None:
    """TRAPS: text with NUL; dlt silently strips."""
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, s text)")
    data = table_of(ids(6, 7), (pa.field("s", pa.string()), ["fine", "a\0b"]))
    with pytest.raises(RunError, match=r'column "s" has 1 value.*id=7'):
        connector.write("t", data)
    assert postgres_database.query("SELECT count(*) FROM t") == [(0,)]
    for on_nul, expected in (("strip", "ab"), ("replace", "a\ufffdb")):
        assert connector.write("t", data, "replace", on_nul=on_nul).coerced == {"on_nul": 1}
        assert postgres_database.query("SELECT s FROM t ORDER BY id") == [("fine",), (expected,)]


def test_text_of_other_types_is_taken_when_it_prints_the_same(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, ip inet, list int4[])")
    text = pa.field("ip", pa.string()), ["10.0.0.1"]
    connector.write("t", table_of(ids(1), text, (pa.field("list", pa.string()), ["{1,2}"])))
    with pytest.raises(RunError, match=r'column "list".*first at id=2'):
        connector.write("t", table_of(ids(2), (pa.field("list", pa.string()), ["{ 1, 2 }"])))
    assert postgres_database.query("SELECT host(ip), list FROM t") == [("10.0.0.1", [1, 2])]


def test_any_postgres_type_goes_from_table_to_table(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);"
        "CREATE TABLE a (id int8 PRIMARY KEY, m mood, p positive, l text[], r int4range, i interval, x xml, mo money,"
        " b bit(3), vb bit varying(9), c char(5), n numeric, o oid, pt point, ts tsvector, tz timetz, u uuid);"
        "INSERT INTO a VALUES (1, 'glad', 5, '{a,NULL,\"b,c\"}', '[1,5)', '1 mon -3 days 04:05:06.7', '<a/>', 12.34,"
        " B'101', B'11', 'ab', 1.10, 7, '(1,2.5)', 'fat cat', '12:00:00+02', 'e02c9d2f-5b0a-4a53-8a4e-0d1f6c1b7a90');"
        "INSERT INTO a (id) VALUES (2); CREATE TABLE b (LIKE a INCLUDING ALL)"
    )
    connector.write("b", connector.read("a"))
    assert postgres_database.query("SELECT a.*::text FROM a ORDER BY id") == postgres_database.query(
        "SELECT b.*::text FROM b ORDER BY id"
    )
    merged = connector.write("b", connector.read("a"), "merge", merge_keys=["id"], verify="checksum")
    assert merged.unchanged == 2


def test_local_time_zones_of_client_and_server_change_nothing(
    connector: Connector, postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRAPS: TIMESTAMP / DATETIME shift with TZ; the same under TZ=Tokyo."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PGTZ", "America/New_York")
    postgres_database.execute(f"ALTER DATABASE \"{postgres_database.database}\" SET timezone = 'Asia/Kolkata'")
    data = table_of((pa.field("at", pa.timestamp("us", "UTC")), [0]), (pa.field("local", pa.timestamp("us")), [0]))
    connector.write("t", data)
    assert postgres_database.query("SELECT extract(epoch FROM at)::int8, local::text FROM t") == [
        (0, "1970-01-01 00:00:00")
    ]
    assert connector.read("t").equals(data, check_metadata=False)


def test_an_unknown_osiris_type_is_refused(connector: Connector) -> None:
    strange = pa.field("g", pa.string(), metadata={b"osiris.type": b"hologram"})
    with pytest.raises(OsirisError, match=r"g \(hologram\)"):
        connector.write("t", table_of((strange, ["x"])))


# -- keys and merges ---------------------------------------------------------------------------------------
def test_unchanged_rows_are_left_alone(connector: Connector, postgres_database: PostgresDatabase) -> None:
    name = connector.seed(people([1, 2, 3]), keys=["id"])
    before = postgres_database.query(f'SELECT id, xmin::text FROM "{name}" ORDER BY id')
    changed = people([1, 2, 3]).set_column(1, "name", pa.array(["n1", "other", "n3"]))
    assert connector.write(name, changed, "merge", merge_keys=["id"]).unchanged == 2
    after = postgres_database.query(f'SELECT id, xmin::text FROM "{name}" ORDER BY id')
    assert [one == two for one, two in zip(before, after, strict=True)] == [True, False, True]


def test_a_change_that_equality_hides_is_a_change(connector: Connector, postgres_database: PostgresDatabase) -> None:
    """'abc' = 'ABC' under citext, 1 month = 30 days as intervals, 1.0 = 1.00 as numeric."""
    postgres_database.execute(
        "CREATE EXTENSION citext; CREATE TABLE t (id int8 PRIMARY KEY, c citext, i interval, n numeric, j json);"
        "INSERT INTO t VALUES (1, 'abc', '30 days', 1.0, '{\"a\":1}')"
    )
    interval = pa.field("i", pa.month_day_nano_interval(), metadata={b"osiris.type": b"interval"})
    data = table_of(
        ids(1),
        (pa.field("c", pa.string()), ["ABC"]),
        (interval, [pa.MonthDayNano([1, 0, 0])]),
        (field("n", pa.string(), osiris="decimal"), ["1.00"]),
        (field("j", pa.string(), osiris="json"), ['{"a": 1}']),
    )
    assert connector.write("t", data, "merge", merge_keys=["id"]).unchanged == 0
    assert postgres_database.query("SELECT c::text, i::text, n::text, j::text FROM t") == [
        ("ABC", "1 mon", "1.00", '{"a": 1}')
    ]
    assert connector.write("t", data, "merge", merge_keys=["id"]).unchanged == 1


def test_keys_that_only_differ_in_case_are_one_key_where_the_column_says_so(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    """TRAPS: 'ABC ' vs 'abc'."""
    postgres_database.execute("CREATE EXTENSION citext; CREATE TABLE t (k citext PRIMARY KEY, v int4)")
    data = table_of((pa.field("k", pa.string()), ["ABC", "abc"]), (pa.field("v", pa.int32()), [1, 2]))
    with pytest.raises(RunError, match="repeat a merge key"):
        connector.write("t", data, "merge", merge_keys=["k"])
    dedupe = {"keep": "last", "order_by": [{"column": "v"}]}
    result = connector.write("t", data, "merge", merge_keys=["k"], dedupe=dedupe)
    assert (result.written, result.deduplicated) == (1, 1)
    assert postgres_database.query("SELECT k::text, v FROM t") == [("abc", 2)]


def test_nondeterministic_collations_count_as_ignoring_case(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute(
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "CREATE TABLE t (k text COLLATE ci PRIMARY KEY, v int4)"
    )
    assert connector.table("t").columns[0].case_insensitive
    data = table_of((pa.field("k", pa.string()), ["A", "a"]), (pa.field("v", pa.int32()), [1, 2]))
    with pytest.raises(RunError, match="repeat a merge key"):
        connector.write("t", data, "merge", merge_keys=["k"])


@pytest.mark.parametrize("order", [[1, 1], [2, 1, 2]])
def test_repeated_keys_are_found_in_any_order(connector: Connector, order: list[int]) -> None:
    """TRAPS: the same key twice in one batch is an error, even when one of the two would change nothing."""
    name = connector.seed(people([1, 2]), keys=["id"])
    data = people(order)
    data = data.set_column(1, "name", pa.array(["changed", *["n"] * (len(order) - 1)]))
    with pytest.raises(RunError, match=r"1 row\(s\) repeat a merge key, for example id="):
        connector.write(name, data, "merge", merge_keys=["id"])


def test_a_merge_without_a_unique_key_updates_and_inserts(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute(
        "CREATE TABLE t (id int8, name text, score int4); INSERT INTO t VALUES (1, 'a', 0), (1, 'b', 0)"
    )
    result = connector.write("t", people([1, 2]), "merge", merge_keys=["id"])
    assert (result.written, result.unchanged) == (2, 0)
    assert postgres_database.query("SELECT * FROM t ORDER BY id") == [(1, "n1", 1), (1, "n1", 1), (2, "n2", 2)]
    assert connector.write("t", people([1, 2]), "merge", merge_keys=["id"], delete_missing=True).unchanged == 2


@pytest.mark.parametrize("constraint", ["UNIQUE (id) DEFERRABLE", "EXCLUDE (id WITH =)"])
def test_keys_that_on_conflict_cannot_use(
    connector: Connector, postgres_database: PostgresDatabase, constraint: str
) -> None:
    postgres_database.execute(f"CREATE TABLE t (id int8 NOT NULL, name text, score int4, {constraint})")
    for _ in range(2):
        connector.write("t", people([1, 2]), "merge", merge_keys=["id"])
    assert len(connector.rows("t")) == 2


def test_a_key_of_several_columns_and_nothing_else(connector: Connector) -> None:
    data = table_of(ids(1, 1, 2), (pa.field("k", pa.string()), ["a", "b", "a"]))
    for expected in (0, 3):
        result = connector.write("t", data, "merge", merge_keys=["id", "k"], primary_key=["id", "k"])
        assert (result.written, result.unchanged) == (3, expected)


def test_columns_the_source_lacks_keep_their_values(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, name text, mine text DEFAULT 'd')")
    postgres_database.execute("INSERT INTO t VALUES (1, 'a', 'kept')")
    connector.write("t", people([1, 2]).select(["id", "name"]), "merge", merge_keys=["id"])
    assert postgres_database.query("SELECT * FROM t ORDER BY id") == [(1, "n1", "kept"), (2, "n2", "d")]


# -- what hangs on a table ---------------------------------------------------------------------------------
def test_generated_columns_are_left_to_the_server(connector: Connector, postgres_database: PostgresDatabase) -> None:
    """TRAPS: generated columns: write refused; an error as a merge key."""
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, twice int8 GENERATED ALWAYS AS (id * 2) STORED)")
    data = table_of(ids(1, 2), (pa.field("twice", pa.int64()), [0, 0]))
    connector.write("t", data)
    connector.write("t", data, "merge", merge_keys=["id"])
    assert postgres_database.query("SELECT twice FROM t ORDER BY id") == [(2,), (4,)]
    with pytest.raises(RunError, match='"twice" is generated by the server'):
        connector.write("t", data, "merge", merge_keys=["twice"])


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_identity_columns_take_the_source_s_values(
    connector: Connector, postgres_database: PostgresDatabase, mode: str
) -> None:
    postgres_database.execute("CREATE TABLE t (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)")
    keys: dict[str, Any] = {"merge_keys": ["id"]} if mode == "merge" else {}
    connector.write("t", people([5, 9]).select(["id", "name"]), mode, **keys)
    assert [row["id"] for row in connector.rows("t")] == [5, 9]


def test_replace_keeps_views_grants_indexes_and_comments(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    name = connector.seed(people([1, 2]), keys=["id"])
    postgres_database.execute(
        f'CREATE VIEW v AS SELECT name FROM "{name}"; CREATE INDEX i ON "{name}" (score);'
        f'GRANT SELECT ON "{name}" TO PUBLIC; COMMENT ON TABLE "{name}" IS \'mine\''
    )
    shape = "SELECT oid, relacl::text, obj_description(oid) FROM pg_class WHERE relname = %s"
    before = postgres_database.query(shape, (name,))
    assert connector.write(name, people([3]), "replace").deleted == 2
    assert postgres_database.query(shape, (name,)) == before
    assert postgres_database.query("SELECT * FROM v") == [("n3",)]
    assert postgres_database.query("SELECT count(*) FROM pg_indexes WHERE indexname = 'i'") == [(1,)]


def test_readers_see_the_old_rows_until_a_replace_is_committed(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    name = connector.seed(people([1, 2]))
    config = connector.write_config(name, "replace")
    target = connector.driver.open_writer(connector.connection, config, connector.context())
    target.begin()
    from osiris_core.testing import stream_of

    target.stage(stream_of(people([3])))
    assert postgres_database.query(f'SELECT count(*) FROM "{name}"') == [(2,)]
    target.commit()
    target.close()
    assert [row["id"] for row in connector.rows(name)] == [3]


def test_replace_of_a_referenced_table_needs_its_key(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute(
        "CREATE TABLE t (id int8 GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text);"
        "CREATE TABLE child (ref int8 REFERENCES t)"
    )
    with pytest.raises(RunError, match=r"other tables refer to \"t\" \(child\)"):
        connector.write("t", people([1]).select(["name"]), "replace")


@pytest.mark.parametrize("on_delete", ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL"])
def test_replace_of_a_referenced_table_goes_row_by_row(
    connector: Connector, postgres_database: PostgresDatabase, on_delete: str
) -> None:
    name = connector.seed(people([1, 2]), keys=["id"])
    postgres_database.execute(
        f'CREATE TABLE child (id int4, ref int8 REFERENCES "{name}" ON DELETE {on_delete});'
        "INSERT INTO child VALUES (1, 1)"
    )
    result = connector.write(name, people([1, 3], label="new"), "replace")
    assert (result.written, result.deleted) == (2, 1)
    assert [row["name"] for row in connector.rows(name)] == ["new1", "new3"]
    assert postgres_database.query("SELECT * FROM child") == [(1, 1)]


def test_replace_that_would_break_a_reference_is_refused_whole(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    name = connector.seed(people([1, 2]), keys=["id"])
    postgres_database.execute(f'CREATE TABLE child (ref int8 REFERENCES "{name}"); INSERT INTO child VALUES (1)')
    with pytest.raises(Exception, match="foreign key") as caught:
        connector.write(name, people([2, 3]), "replace")
    fault = connector.driver.map_error(caught.value)
    assert fault is not None
    assert fault.code == "OSI-R107"
    assert [row["id"] for row in connector.rows(name)] == [1, 2]


def test_replace_of_a_table_that_refers_to_itself(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, boss int8 REFERENCES t)")
    data = table_of(ids(1, 2), (pa.field("boss", pa.int64()), [2, None]))
    for _ in range(2):
        connector.write("t", data, "replace")
    assert connector.rows("t") == [{"id": 1, "boss": 2}, {"id": 2, "boss": None}]


def test_row_level_security_applies_and_is_said(connector: Connector, postgres_database: PostgresDatabase) -> None:
    user = f"rls_{postgres_database.database}"
    postgres_database.execute(
        f"CREATE TABLE t (id int8, name text, score int4); CREATE ROLE \"{user}\" LOGIN PASSWORD 'p';"
        f'GRANT ALL ON t TO "{user}"; GRANT ALL ON SCHEMA public TO "{user}"; ALTER TABLE t ENABLE ROW LEVEL SECURITY;'
        f"CREATE POLICY p ON t USING (id < 10)"
    )
    few = Connector(connector.component, {**connector.fields, "user": user, "password": "p"}, connector.work_dir)
    assert few.write("t", people([1]), create="never").written == 1
    assert [code for code, _ in few.warnings] == ["OSI-R124"]
    with pytest.raises(Exception, match="row-level security"):
        few.write("t", people([11]), create="never")


def test_rows_that_a_trigger_swallows_are_missed(connector: Connector, postgres_database: PostgresDatabase) -> None:
    name = connector.seed(people([]), keys=["id"])
    postgres_database.execute(
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END$$;"
        f'CREATE TRIGGER s BEFORE INSERT ON "{name}" FOR EACH ROW EXECUTE FUNCTION swallow()'
    )
    configs: dict[str, dict[str, Any]] = {"append": {}, "merge": {"merge_keys": ["id"]}, "replace": {}}
    for mode, config in configs.items():
        with pytest.raises(ReconciliationError):
            connector.write(name, people([1, 2, 3]), mode, **config)
        assert connector.rows(name) == []


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_values_that_a_trigger_changes_are_found_by_checksum(
    connector: Connector, postgres_database: PostgresDatabase, mode: str
) -> None:
    name = connector.seed(people([]), keys=["id"])
    postgres_database.execute(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF NEW.id = 2 THEN NEW.name = 'spoiled'; END IF; RETURN NEW; END$$;"
        f'CREATE TRIGGER s BEFORE INSERT ON "{name}" FOR EACH ROW EXECUTE FUNCTION spoil()'
    )
    keys: dict[str, Any] = {"merge_keys": ["id"]} if mode == "merge" else {}
    with pytest.raises(ReconciliationError, match="first id=2"):
        connector.write(name, people([1, 2, 3]), mode, verify="checksum", **keys)
    assert connector.write(name, people([1, 2, 3]), mode, verify="count", **keys).written == 3


def test_checksum_finds_what_an_encoder_would_spoil(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    from osiris_postgres import encode

    monkeypatch.setattr(encode, "_EPOCH_DAYS", 10_956)
    monkeypatch.setitem(sys.modules, "pgpq", None)
    monkeypatch.setitem(encode._PACKERS, pa.date32(), (pa.int32(), encode._fixed("!i", 10_956)))
    data = table_of(ids(1), (pa.field("d", pa.date32()), [0]))
    with pytest.raises(ReconciliationError, match="not what was sent"):
        connector.write("t", data, verify="checksum")
    assert connector.write("t", data).written == 1


def test_checksum_accepts_every_edge_value(connector: Connector) -> None:
    data = edge_table()
    for mode in ("append", "merge", "merge", "replace"):
        keys: dict[str, Any] = {"merge_keys": ["id"]} if mode == "merge" else {}
        result = connector.write("t", data, mode, verify="checksum", primary_key=["id"], **keys)
        assert result.written == data.num_rows


# -- tables that are made or changed -----------------------------------------------------------------------
def test_a_table_is_made_with_types_keys_and_comments(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    schema = with_source_table(
        people([]).schema, primary_key=["id"], comment="who's who", comments={"name": "100% \"their\" 'name'"}
    )
    connector.write("t", people([1]).cast(schema))
    made = connector.table("t")
    assert made.primary_key == ("id",)
    assert (made.comment, made.columns[1].comment) == ("who's who", "100% \"their\" 'name'")
    assert [(c.type, c.nullable) for c in made.columns] == [("bigint", False), ("text", True), ("integer", True)]


def test_a_table_is_not_left_behind_by_a_write_that_fails(connector: Connector) -> None:
    with pytest.raises(RunError):
        connector.write("t", table_of((pa.field("s", pa.string()), ["a\0"])))
    assert connector.discover("t").tables == ()


def test_what_is_read_from_one_table_makes_an_equal_one(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute(
        "CREATE TABLE a (id int4 PRIMARY KEY, v varchar(7) NOT NULL, c char(3), n numeric(7,3), t timestamp(2),"
        " z timestamptz(0), l int4[], b bit(3)); COMMENT ON COLUMN a.v IS 'short'"
    )
    connector.write("b", connector.read("a"))
    shape = (
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
        "WHERE attnum > 0 AND attrelid = %s::regclass"
    )
    assert postgres_database.query(shape, ("b",)) == postgres_database.query(shape, ("a",))
    assert connector.table("b").primary_key == ("id",)
    assert connector.table("b").columns[1].comment == "short"


def test_names_too_long_are_refused_instead_of_cut(connector: Connector) -> None:
    with pytest.raises(RunError, match="63 bytes"):
        connector.write("t" * 64, people([1]))
    with pytest.raises(RunError, match="63 bytes"):
        connector.write("t", table_of((pa.field("ř" * 32, pa.int32()), [1])))


@pytest.mark.parametrize("name", ["Order", "has space", 'q"uote', "emoji 🐎", "per%cent", "select", "a.b", "'; --"])
def test_names_are_quoted_and_kept(connector: Connector, name: str) -> None:
    """TRAPS: names are always quoted, preserved."""
    data = table_of((pa.field(name, pa.int64(), nullable=False), [1, 2]))
    for mode in ("append", "merge", "replace"):
        keys: dict[str, Any] = {"merge_keys": [name]} if mode == "merge" else {}
        connector.write(name, data, mode, primary_key=[name], **keys)
    where = [{"column": name, "op": ">", "value": 1}]
    assert connector.read(name, where=where, columns=[name], order_by=[{"column": name}]).to_pylist() == [{name: 2}]


def test_a_geometry_is_bytes_and_said(connector: Connector) -> None:
    connector.write("t", table_of((field("g", pa.binary(), osiris="wkb", source="mysql:point"), [b"\1"])))
    assert [code for code, _ in connector.warnings] == ["OSI-R110"]


def test_columns_that_are_missing_on_either_side_are_drift(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute("CREATE TABLE t (id int8, nmae text, must int4 NOT NULL)")
    with pytest.raises(DriftError, match='no column "name", "score"') as caught:
        connector.write("t", people([1]))
    assert 'did you mean "nmae"?' in caught.value.hint
    with pytest.raises(DriftError, match='needs a value for "must"'):
        connector.write("t", people([1]).select(["id"]))
    postgres_database.execute("ALTER TABLE t DROP COLUMN must")
    with pytest.raises(DriftError, match="none of the columns"):
        connector.write("t", table_of((pa.field("x", pa.int32()), [1])), on_drift="ignore_new")


def test_columns_that_are_added_hold_null_in_old_rows(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    name = connector.seed(people([1]))
    extra = pa.field("must", pa.decimal128(5, 2), nullable=False)
    wider = people([2]).append_column(extra, pa.array([Decimal("1.50")], extra.type))
    connector.write(name, wider, on_drift="add_columns")
    assert postgres_database.query(f'SELECT must FROM "{name}" ORDER BY id') == [(None,), (Decimal("1.50"),)]


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_views_are_not_written(connector: Connector, postgres_database: PostgresDatabase, kind: str) -> None:
    postgres_database.execute(f"CREATE {kind} v AS SELECT 1::int8 AS id, 'a'::text AS name, 1 AS score")
    with pytest.raises(RunError, match="is a view"):
        connector.write("v", people([1]))


def test_partitioned_tables_are_written(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute(
        "CREATE TABLE t (id int8 PRIMARY KEY, name text, score int4) PARTITION BY RANGE (id);"
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE TABLE t2 PARTITION OF t DEFAULT"
    )
    connector.write("t", people([1, 20]))
    connector.write("t", people([1, 30]), "merge", merge_keys=["id"], delete_missing=True)
    connector.write("t", people([5, 50]), "replace", verify="checksum")
    assert [row["id"] for row in connector.rows("t")] == [5, 50]


def test_a_table_of_another_schema(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute('CREATE SCHEMA "Other"')
    other = Connector(connector.component, {**connector.fields, "schema": "Other"}, connector.work_dir)
    other.write("t", people([1]))
    assert [row["id"] for row in other.rows("t")] == [1]
    assert postgres_database.query('SELECT count(*) FROM "Other"._osiris_commits') == [(1,)]
    assert connector.discover().tables == ()
