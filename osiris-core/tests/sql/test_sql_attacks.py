"""Attacks on the guard: SQL that a server reads otherwise than the parser, or that reaches outside by another name."""

from __future__ import annotations

from time import perf_counter

import pytest

from osiris_core.sql import SqlError, check_condition, parse_select
from osiris_core.sql_tokens import MOST_TOKENS

NBSP, LINE = "\u00a0", "\u2028"
FILE = "'/etc/passwd'"

DISGUISED = [
    # A text goes on in the next line with the escapes of its first part.
    (
        "postgres",
        "SELECT INTERVAL E'1 day'\n'\\' , ' AS x) AS q LIMIT 0; DROP TABLE t; SELECT * FROM (SELECT 1 AS y --'",
    ),
    ("duckdb", "SELECT INTERVAL E'1 day'\n'\\' , ' AS x) AS q LIMIT 0; DROP TABLE t; SELECT * FROM (SELECT 1 AS y --'"),
    ("postgres", "SELECT INTERVAL E'1 day' -- a comment\n'\\' , '"),
    ("postgres", "SELECT 'a' 'b'"),
    ("postgres", "SELECT INTERVAL E'1 day'\n${params.x}"),
    ("postgres", "SELECT INTERVAL '1 day' $$x$$"),
    # Names and texts with Unicode escapes.
    ("postgres", f'SELECT U&"pg\\005fread\\005ffile"({FILE})'),
    ("postgres", f"SELECT u&\"pg!005fread!005ffile\" UESCAPE '!' ({FILE})"),
    ("postgres", "SELECT U&'\\0027'"),
    ("postgres", 'SELECT * FROM U&"pg\\005fauthid"'),
    # Comments and blanks that are some to one side only.
    ("mysql", f"SELECT x --{NBSP}, load_file({FILE})\nFROM t"),
    ("mysql", f"SELECT x --{LINE} INTO OUTFILE '/tmp/q'\nFROM t"),
    ("mysql", "SELECT x --\x0bINTO OUTFILE '/tmp/q'\nFROM t"),
    ("mysql", "SELECT x --\x85INTO OUTFILE '/tmp/q'\nFROM t"),
    ("mysql", f"SELECT x{NBSP}FROM t"),
    ("postgres", f"SELECT x{NBSP}FROM t"),
    ("mysql", f"SELECT x -- a\r, load_file({FILE})"),
    ("postgres", f"SELECT x -- a\r, pg_read_file({FILE})"),
    ("mysql", "SELECT 1 {# x #}"),
    ("postgres", "SELECT 1 {# ' #}"),
    ("duckdb", "SELECT 1 {# x #}"),
    ("mysql", f"SELECT /*+ BKA(t) ' */ load_file({FILE}) /* ' */, 1"),
    ("mysql", "SELECT /*+ SET_VAR(sql_mode='ANSI_QUOTES') */ 1"),
]


@pytest.mark.parametrize(("dialect", "text"), DISGUISED)
def test_what_a_server_reads_otherwise_is_refused(dialect: str, text: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse_select(text, dialect)
    assert caught.value.code in ("OSI-V303", "OSI-V304", "OSI-V306")
    assert 0 <= caught.value.start < caught.value.end


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (
            "postgres",
            "(INTERVAL E'1 day'\n'\\' , ' > INTERVAL $$0$$))) TO STDOUT; DROP TABLE t; COPY (SELECT (1 --') = (1, 2)",
        ),
        ("postgres", f"U&\"pg\\005fread\\005ffile\"({FILE}) = ''"),
        ("mysql", f"a = 1{NBSP}AND b = 2"),
        ("mysql", f"load_file({FILE}) = ''"),
        ("postgres", "('/etc/passwd'::text).pg_read_file = ''"),
        ("postgres", "EXISTS (SELECT 1 FROM pg_authid)"),
    ],
)
def test_the_same_in_a_condition(dialect: str, text: str) -> None:
    with pytest.raises(SqlError):
        check_condition(text, dialect)


REACHING = [
    # Functions by every way to call one.
    ("postgres", f"SELECT pg_catalog.pg_read_file({FILE})"),
    ("postgres", f"SELECT pg_catalog.\"pg_read_file\"({FILE})"),
    ("postgres", f"SELECT * FROM LATERAL pg_read_file({FILE})"),
    ("postgres", f"SELECT ({FILE}::text).pg_read_file"),
    ("postgres", f"SELECT (q.a).pg_read_file FROM (SELECT {FILE}::text AS a) q"),
    ("postgres", f"SELECT q.pg_read_file FROM unnest(ARRAY[{FILE}]) q"),
    ("postgres", "SELECT (array_agg('s'::text))[1].nextval"),
    *[
        ("postgres", f"SELECT {name}('x')")
        for name in (
            "lowrite", "loread", "lo_get", "currval", "pg_prewarm", "brin_summarize_new_values", "pg_stat_file",
            "brin_summarize_range", "gin_clean_pending_list", "pg_show_all_file_settings", "pg_current_logfile",
            "pg_get_viewdef", "dblink_exec", "current_setting", "txid_current", "database_to_xml", "cursor_to_xml",
            "binary_upgrade_set_next_oid", "setseed", "to_regclass", "anything_else", "app.anything", "app.lower",
        )
    ],
    *[
        ("mysql", f"SELECT {name}('x')")
        for name in ("sys.exec", "shop.anything", "anything_else", "`LOAD_FILE`", "uuid_short", "shop.lower")
    ],
    ("mysql", "SELECT NEXT VALUE FOR s"),
    # A server's own tables.
    *[("postgres", f"SELECT * FROM {name}") for name in ("pg_authid", "PG_SHADOW", "pg_catalog.pg_class")],
    ("postgres", "SELECT * FROM pg_hba_file_rules JOIN t ON true"),
    ("postgres", "SELECT * FROM information_schema.tables"),
    ("postgres", "SELECT a FROM t WHERE b IN (SELECT rolpassword FROM \"pg_authid\")"),
    ("supabase", "SELECT * FROM vault.decrypted_secrets"),
    *[("mysql", f"SELECT * FROM {name}") for name in ("mysql.user", "`MySQL`.`user`", "sys.session")],
    ("mysql", "SELECT * FROM information_schema.processlist"),
    ("mysql", "SELECT * FROM performance_schema.threads"),
    *[("duckdb", f"SELECT * FROM {name}") for name in ("duckdb_settings", "pragma_database_list", "sqlite_master")],
    ("duckdb", "SELECT * FROM information_schema.tables"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "text"), REACHING)
def test_what_reaches_outside_by_another_name_is_refused(dialect: str, text: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse_select(text, dialect)
    assert caught.value.code in ("OSI-V304", "OSI-V305", "OSI-V306")


def test_an_unknown_function_is_refused_with_a_way_out() -> None:
    with pytest.raises(SqlError, match="function margin_of is not allowed") as caught:
        parse_select("SELECT a, margin_of(b) FROM t", "postgres")
    assert "view" in caught.value.hint


ORDINARY = {
    "postgres": """
        SELECT date_trunc('day', a), coalesce(a, b), a->>'k', a#>>'{x,y}', regexp_replace(a, 'b', 'c'),
          to_char(a, 'YYYY'), string_agg(a, ',' ORDER BY b), percentile_cont(0.5) WITHIN GROUP (ORDER BY a),
          now(), current_date, age(a, b), extract(epoch FROM a), jsonb_build_object('a', 1), jsonb_agg(a),
          json_agg(a), row_to_json(t), to_jsonb(t), md5(a), array_agg(DISTINCT a), array_length(a, 1),
          array_to_string(a, ','), a::numeric(10, 2), a AT TIME ZONE 'UTC', substring(a FROM 1 FOR 2),
          position('a' IN b), trim(BOTH ' ' FROM a), split_part(a, ',', 1), lpad(a, 3, '0'), initcap(a), left(a,
          1), concat_ws('-', a, b), format('%s', a), greatest(a, b), least(a, b), nullif(a, b), (a).city,
          row_number() OVER (PARTITION BY a ORDER BY b), lag(a, 1) OVER w, first_value(a) OVER w, ntile(4) OVER
          w, count(*) FILTER (WHERE a > 1), bool_or(a), every(a), stddev(a), corr(a, b), width_bucket(a, 1, 2,
          3), mod(a, 2), to_timestamp(a), to_date(a, 'YYYY'), make_date(1, 2, 3), gen_random_uuid(),
          encode(sha256(a), 'hex'), f.pg_rating, quote_literal(a), to_tsvector('english', a) @@ to_tsquery('b'),
          unnest(a), ROW(a, b), f.file_name, f.http_status, jsonb_array_elements_text(a), a SIMILAR TO 'b',
          E'a\\n', N'x', $$y$$, justify_days(a), public.similarity(a, b), st_astext(a), st_distance(a, b),
          pg_typeof(a), regexp_matches(a, 'b', 'g'), ceil(a), round(a, 2), trunc(a), log(a)
        FROM t f CROSS JOIN generate_series(1, 3) AS g(n) LEFT JOIN LATERAL (SELECT 1) l ON true
        WINDOW w AS (ORDER BY a)
    """,
    "mysql": """
        SELECT date_format(a, '%Y'), ifnull(a, b), if(a, 1, 2), coalesce(a, b), a->>'$.k', json_extract(a,
          '$.k'), now(), json_unquote(a), group_concat(DISTINCT a ORDER BY b SEPARATOR ','), str_to_date(a,
          '%Y'), curdate(), sysdate(), date_add(a, INTERVAL 1 DAY), datediff(a, b), timestampdiff(DAY, a, b),
          unix_timestamp(a), from_unixtime(a), year(a), concat(a, b), concat_ws('-', a), substring_index(a, ',',
          1), find_in_set(a, b), field(a, 'x'), elt(1, 'a'), trim(a), regexp_replace(a, 'b', 'c'),
          regexp_substr(a, 'b'), a REGEXP 'b', convert(a USING utf8mb4), convert_tz(a, 'b', 'c'), cast(a AS
          signed), md5(a), sha2(a, 256), hex(a), unhex(a), inet_ntoa(a), uuid(), bin_to_uuid(a),
          json_arrayagg(a), json_object('a', 1), json_contains(a, '1'), row_number() OVER (ORDER BY a), lag(a)
          OVER (ORDER BY b), std(a), truncate(a, 1), format(a, 2), rand(), crc32(a), char_length(a), lpad(a, 1,
          'x'), insert(a, 1, 2, 'b'), dayname(a), weekday(a), yearweek(a), last_day(a), st_astext(a), 'a' 'b',
          N'x', _utf8mb4'x', x'41', greatest(a, b), sum(a), database(), quote(a), bit_count(a), from_days(a),
          time_to_sec(a), sec_to_time(a), makedate(1, 2), any_value(a)
        FROM t USE INDEX (i) WHERE MATCH (a) AGAINST ('b')
    """,
}


@pytest.mark.parametrize("dialect", ORDINARY)
def test_ordinary_sql_is_let_through(dialect: str) -> None:
    assert parse_select(ORDINARY[dialect], dialect).tables()


@pytest.mark.parametrize(
    ("dialect", "text", "names"),
    [
        ("mysql", "SELECT a -- one\r\n, b # two\r\nFROM t", ["t", "a", "b"]),
        ("mysql", f"SELECT '{NBSP}--{LINE}' AS a, `b{NBSP}c` FROM t", ["t", f"b{NBSP}c"]),
        ("mysql", "SELECT /*+ BKA(t) NO_ICP(t, u) */ a FROM t", ["t", "a"]),
        ("postgres", 'SELECT u & "mask" FROM t', ["t", "u", "mask"]),
        (
            "postgres",
            "SELECT 'a' || 'b', TIMESTAMP '2024-01-01', INTERVAL '1 day' FROM t WHERE a LIKE 'x' ESCAPE '!'",
            ["t", "a"],
        ),
        ("postgres", "SELECT * FROM public.pg_ratings", ["pg_ratings"]),
        ("duckdb", f"SELECT{NBSP}a FROM t", ["t", "a"]),
    ],
)
def test_what_only_looks_like_an_attack_is_let_through(dialect: str, text: str, names: list[str]) -> None:
    select = parse_select(text, dialect)
    assert [name.name for name in (*select.tables(), *select.columns())] == names


def test_the_number_of_words_is_bound() -> None:
    started = perf_counter()
    with pytest.raises(SqlError, match="more than 10,000 words") as caught:
        parse_select("SELECT 1 WHERE 1 " + "OR 1 " * 15_000, "mysql")
    assert caught.value.code == "OSI-V306"
    assert perf_counter() - started < 1
    parse_select(f"SELECT a FROM t WHERE a IN ({', '.join(['1'] * (MOST_TOKENS // 2 - 10))})", "mysql")
