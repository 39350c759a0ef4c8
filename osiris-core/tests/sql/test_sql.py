"""SQL in pipelines: one reading statement, bound values, and nothing that a server could read differently."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.errors import InvalidInputError, PluginError
from osiris_core.sql import ParamStyle, SqlError, bind, check_condition, parse_select

DIALECTS = ("mysql", "postgres", "supabase", "duckdb")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT a, b AS c FROM t WHERE a > 1 AND b LIKE '%x;y%' ORDER BY a LIMIT 3",
        "WITH x AS (SELECT a FROM t) SELECT * FROM x JOIN u ON x.a = u.a",
        "SELECT a FROM t UNION ALL SELECT a FROM u",
        "(SELECT a FROM t)",
        "SELECT count(*), sum(a) FROM t GROUP BY b HAVING count(*) > 1",
        "SELECT a FROM t WHERE b IN (SELECT b FROM u) -- and a comment\n",
        "SELECT /* what */ a FROM t;",
        "SELECT CASE WHEN a THEN 1 ELSE 2 END FROM t",
        "SELECT a FROM t WHERE d >= ${params.since} LIMIT ${params.n}",
    ],
)
def test_reading_statements_are_accepted(text: str, dialect: str) -> None:
    assert parse_select(text, dialect).text == text


REFUSED = [
    ("SELECT 1; SELECT 2", "OSI-V303"),
    ("SELECT 1; DROP TABLE t", "OSI-V303"),
    ("SELECT 1; -- x", "OSI-V303"),
    ("DELETE FROM t", "OSI-V304"),
    ("INSERT INTO t VALUES (1)", "OSI-V304"),
    ("UPDATE t SET a = 1", "OSI-V304"),
    ("DROP TABLE t", "OSI-V304"),
    ("CREATE TABLE x AS SELECT 1", "OSI-V304"),
    ("TRUNCATE TABLE t", "OSI-V304"),
    ("EXPLAIN SELECT 1", "OSI-V304"),
    ("SET x = 1", "OSI-V304"),
    ("CALL p()", "OSI-V304"),
    ("VALUES (1)", "OSI-V304"),
    ("SELECT * FROM t FOR UPDATE", "OSI-V309"),
    ("SELEC a FROM t", "OSI-V306"),
    ("SELECT a FROM", "OSI-V306"),
    ("SELECT 'open", "OSI-V306"),
    ("SELECT /* open", "OSI-V306"),
    ("", "OSI-V306"),
    ("  -- nothing\n", "OSI-V306"),
    ("SELECT '${params.a}'", "OSI-V306"),
    ("SELECT a FROM ${params.t}", "OSI-V306"),
    ("SELECT -- ${params.a}\n 1", "OSI-V306"),
    ("SELECT " + "(" * 5000 + "1" + ")" * 5000, "OSI-V306"),
    ("SELECT 1 /* /* nested */ */", "OSI-V304"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("text", "code"), REFUSED, ids=[text[:30] for text, _ in REFUSED])
def test_everything_else_is_refused(text: str, code: str, dialect: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse_select(text, dialect)
    assert caught.value.code == code
    assert 0 <= caught.value.start < caught.value.end


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("postgres", "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d"),
        ("postgres", "SELECT * INTO x FROM t"),
        ("postgres", "SELECT pg_read_file('/etc/passwd')"),
        ("postgres", "SELECT * FROM pg_ls_dir('.')"),
        ("postgres", "SELECT * FROM dblink('x', 'y') AS t(a int)"),
        ("postgres", "SELECT lo_export(1, '/tmp/x')"),
        ("postgres", "SELECT set_config('a', 'b', false)"),
        ("postgres", "SELECT query_to_xml('DROP TABLE t', true, true, '')"),
        ("postgres", "SELECT nextval('s')"),
        ("postgres", "SELECT pg_sleep(100)"),
        ("postgres", "SELECT pg_advisory_lock(1)"),
        ("supabase", "SELECT net.http_get('http://x')"),
        ("supabase", "SELECT vault.create_secret('x')"),
        ("postgres", "SELECT * FROM t FOR SHARE SKIP LOCKED"),
        ("mysql", "SELECT load_file('/etc/passwd')"),
        ("mysql", "SELECT 1 INTO OUTFILE '/tmp/x'"),
        ("mysql", "SELECT 1 INTO DUMPFILE '/tmp/x'"),
        ("mysql", "SELECT 1 INTO @a"),
        ("mysql", "SELECT sleep(10)"),
        ("mysql", "SELECT get_lock('a', 1)"),
        ("mysql", "SELECT benchmark(1000000000, md5('x'))"),
        ("mysql", "SELECT 1 /*! INTO OUTFILE '/tmp/x' */"),
        ("mysql", "SELECT 1 /*M! INTO OUTFILE '/tmp/x' */"),
        ("mysql", "SELECT 1 --1 INTO OUTFILE '/tmp/x'"),
        ("mysql", "SELECT * FROM t LOCK IN SHARE MODE"),
        ("duckdb", "SELECT * FROM read_csv('/etc/passwd')"),
        ("duckdb", "SELECT * FROM read_text('/etc/passwd')"),
        ("duckdb", "FROM read_parquet('x')"),
        ("duckdb", "SELECT * FROM '/etc/passwd'"),
        ("duckdb", 'SELECT * FROM "../data.csv"'),
        ("duckdb", "SELECT * FROM 'https://x/y.parquet'"),
        ("duckdb", "SELECT * FROM glob('*')"),
        ("duckdb", "SELECT * FROM sqlite_scan('x', 'y')"),
        ("duckdb", "SELECT * FROM query('SELECT 1')"),
        ("duckdb", "SELECT * FROM duckdb_settings()"),
        ("duckdb", "SELECT getenv('HOME')"),
        ("duckdb", "COPY t TO 'x'"),
        ("duckdb", "ATTACH 'x'"),
        ("duckdb", "PRAGMA database_list"),
        ("duckdb", "INSTALL httpfs"),
        ("duckdb", "EXPORT DATABASE 'x'"),
        ("duckdb", "SELECT (SELECT count(*) FROM read_csv('x'))"),
        ("duckdb", "WITH a AS (SELECT * FROM read_csv('x')) SELECT * FROM a"),
    ],
)
def test_what_reaches_outside_or_changes_something_is_refused(dialect: str, text: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse_select(text, dialect)
    assert caught.value.code in ("OSI-V303", "OSI-V304", "OSI-V305", "OSI-V306", "OSI-V309")


@pytest.mark.parametrize(
    ("dialect", "text", "tables", "columns"),
    [
        ("postgres", "SELECT a->>'b' FROM t WHERE c ? 'k' AND d @> '{}'", "t", "a c d"),
        ("postgres", "SELECT a::int, $$x;y$$, E'\\'; DROP TABLE t; --' FROM t", "t", "a"),
        ("postgres", "SELECT pg_typeof(a) FROM generate_series(1, 3) AS g(a)", "", "a"),
        ("mysql", "SELECT `a_b`, \"text\", 'it\\'s' FROM `t` WHERE a <=> NULL", "t", "a_b a"),
        ("mysql", "SELECT a FROM t -- fine\nWHERE b = 1 # fine too", "t", "a b"),
        (
            "duckdb",
            "SELECT * EXCLUDE (a), [1, 2], {'x': b} FROM t, range(3) r QUALIFY row_number() OVER () = 1",
            "t",
            "a b",
        ),
        ("duckdb", "FROM t SELECT a", "t", "a"),
        ("duckdb", "SELECT unnest([1, 2]) FROM t GROUP BY ALL", "t", ""),
        ("duckdb", "SELECT a FROM (VALUES (1)) v(a)", "", "a"),
    ],
)
def test_the_dialects_own_ways_are_understood(dialect: str, text: str, tables: str, columns: str) -> None:
    select = parse_select(text, dialect)
    assert [table.name for table in select.tables()] == tables.split()
    assert {column.name for column in select.columns()} == set(columns.split())


def test_tables_are_those_that_are_no_common_table_expressions() -> None:
    text = (
        "WITH t AS (SELECT * FROM t), u AS (SELECT * FROM t JOIN s.v USING (a)) SELECT * FROM u, w, (SELECT * FROM x) y"
    )
    found = parse_select(text, "duckdb").tables()
    assert sorted((table.schema, table.name) for table in found) == [("", "t"), ("", "w"), ("", "x"), ("s", "v")]
    for table in found:
        assert text[table.start : table.end] == table.name


def test_a_recursive_expression_is_no_table() -> None:
    text = "WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n WHERE a < 9) SELECT * FROM n"
    assert parse_select(text, "postgres").tables() == []


def test_columns_have_their_places() -> None:
    text = "SELECT a, t.b FROM t WHERE é = ${params.x}"
    found = parse_select(text, "duckdb").columns()
    assert sorted((c.table, c.name, text[c.start : c.end]) for c in found) == [
        ("", "a", "a"),
        ("", "é", "é"),
        ("t", "b", "b"),
    ]


@pytest.mark.parametrize(
    ("text", "tables", "columns"),
    [
        ("total > 10 AND status = 'paid'", [], ["total", "status"]),
        ("a IN (1, 2) OR b BETWEEN 1 AND 2", [], ["a", "b"]),
        ("total > (SELECT avg(total) FROM orders)", ["orders"], ["total", "total"]),
        ("EXISTS (SELECT 1 FROM t)", ["t"], []),
        ("NOT (a = ${params.x})", [], ["a"]),
        ("a", [], ["a"]),
    ],
)
def test_conditions(text: str, tables: list[str], columns: list[str]) -> None:
    """Names are found where they stand in the condition, which is parsed behind ``SELECT … WHERE``."""
    select = check_condition(text, "postgres")
    assert [text[slice(*select.place(table))] for table in select.tables()[1:]] == tables
    assert [text[slice(*select.place(column))] for column in select.columns()] == columns


@pytest.mark.parametrize(
    "text",
    [
        "1 = 1) UNION SELECT (1",
        "1 = 1 UNION SELECT 1",
        "a = 1; DROP TABLE t",
        "a = 1) OR (b = 2",
        "a = 1 ORDER BY a",
        "a = 1 LIMIT 1",
        "a = 1 FOR UPDATE",
        "SELECT 1",
        "a = 1 -- the rest",
        "a = 1 /* x */",
        "a, b",
        "a AS b",
        "((a = 1)",
        "a =",
        "",
        "a = 'x",
        "pg_sleep(9) IS NULL",
        "a IN (DELETE FROM t)",
    ],
)
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(SqlError):
        check_condition(text, "postgres")


def test_binding_styles() -> None:
    text = "a >= ${params.x} AND b LIKE '5%' AND c <> '$${params.y}' OR d = ${params.x}"
    params = {"x": 1, "unused": 2}
    assert bind(text, params, "pyformat") == (
        "a >= %(x)s AND b LIKE '5%%' AND c <> '${params.y}' OR d = %(x)s",
        {"x": 1},
    )
    assert bind(text, params, "dollar")[1] == {"x": 1}
    assert bind("${params.x}, ${params.y}, ${params.x}", {"x": 1, "y": 2}, "qmark") == ("?, ?, ?", [1, 2, 1])
    with pytest.raises(InvalidInputError, match="no value"):
        bind("${params.z}", params, "dollar")


def test_a_value_never_becomes_text_of_the_statement() -> None:
    evil = "'; DROP TABLE t; --"
    styles: tuple[ParamStyle, ...] = ("pyformat", "dollar", "qmark")
    for style in styles:
        sql, values = bind("SELECT ${params.x}", {"x": evil}, style)
        assert evil not in sql
        assert evil in (values if isinstance(values, list) else values.values())


@pytest.mark.parametrize("dialect", ["mysql", "postgres", "duckdb"])
@given(text=st.text(alphabet="SELECT FROMab1*(),;'\"`-/#$\\{}\n=é", max_size=50))
def test_any_text_is_accepted_or_refused_with_a_place(dialect: str, text: str) -> None:
    for check in (parse_select, check_condition):
        try:
            check(text, dialect)
        except SqlError as error:
            assert 0 <= error.start < error.end
            assert error.code.startswith("OSI-V30")


def test_without_sqlglot_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(PluginError) as caught:
        parse_select("SELECT 1", "duckdb")
    assert caught.value.code == "OSI-P020"
    assert "osiris-core[sql]" in caught.value.hint


def test_binding_needs_no_parser() -> None:
    code = (
        "import sys; from osiris_core.sql import bind; bind('${params.a}', {'a': 1}, 'qmark'); "
        "print('sqlglot' in sys.modules)"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
