"""The REST channel's dangers (TRAPS: Supabase REST channel), each by a test that provokes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from postgrest_double import PostgrestDouble, Request, jwt
from postgrest_queries import ApiError

from osiris_core import ConnectError, DriftError, OsirisError, RunError, Scope, StepView
from osiris_core.data import BatchStream
from osiris_core.testing import Connector, people
from osiris_core.testing.servers import PostgresDatabase
from osiris_supabase.limits import rest_problems
from osiris_supabase.rest import writer as rest_writer
from osiris_supabase.rest.client import key_role


@pytest.fixture
def connector(rest_fields: dict[str, object], tmp_path: Path) -> Connector:
    return Connector("supabase.table", rest_fields, tmp_path)


@pytest.fixture
def people_table(postgres_database: PostgresDatabase, rest: PostgrestDouble) -> str:
    postgres_database.execute("CREATE TABLE people (id int8 PRIMARY KEY, name text, score int4)")
    rest.reload()
    return "people"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_writer, "_WAITS", (0.05, 0.1, 0.2, 0.4, 0.8))


def write(connector: Connector, table: str, data: pa.Table, mode: str = "append", **config: Any) -> Any:
    return connector.write(table, data, mode, create="never", **config)


@pytest.mark.parametrize("name", ["rpc/wipe", "../../auth/v1/admin/users", "people?select=*", "no_such_table", "a,b"])
def test_a_name_goes_out_only_if_discovery_has_seen_it(connector: Connector, rest: PostgrestDouble, name: str) -> None:
    """TRAPS: table("rpc/wipe").insert() calls a function; a path reaches the Auth API."""
    with pytest.raises(OsirisError):
        write(connector, name, people([1]))
    with pytest.raises(OsirisError):
        connector.read(name)
    assert {request.path for request in rest.requests} <= {"/rest/v1/"}


def test_a_column_cannot_embed_another_table(
    connector: Connector, people_table: str, rest: PostgrestDouble, postgres_database: PostgresDatabase
) -> None:
    """TRAPS: select="*,secrets(*)" embeds other tables."""
    with pytest.raises(DriftError, match="no column"):
        connector.read(people_table, columns=["id", "secrets(*)"])
    postgres_database.execute('CREATE TABLE odd (id int8 PRIMARY KEY, "secrets(*)" text)')
    rest.reload()
    with pytest.raises(RunError, match="REST API"):
        connector.read("odd")
    assert not [request for request in rest.requests if request.path != "/rest/v1/"]


@pytest.mark.parametrize("name", ["or", "and", "not", "select", "order", "limit", "offset", "columns", "on_conflict"])
def test_a_condition_never_becomes_a_parameter_of_the_api(
    connector: Connector, rest: PostgrestDouble, postgres_database: PostgresDatabase, name: str
) -> None:
    """A filter on a column called so would be read as a parameter: other rows than were asked for."""
    postgres_database.execute(f'CREATE TABLE odd ("{name}" int8 PRIMARY KEY, a int8); INSERT INTO odd VALUES (1, 2)')
    rest.reload()
    step = StepView("s", "supabase.table", "read", "@x", (), {"where": [{"column": name}], "channel": "rest"})
    assert [problem.path for problem in rest_problems(step, None)] == [("config", "where", 0, "column")]
    for config in ({"where": [{"column": name, "op": "=", "value": 1}]}, {"incremental": {"cursor": name}}):
        with pytest.raises(RunError, match=f'parameter called "{name}"') as caught:
            connector.read("odd", **config)
        assert "SQL channel" in caught.value.hint
    assert not [request for request in rest.requests if request.path != "/rest/v1/"]
    assert connector.read("odd").to_pylist() == [{name: 1, "a": 2}]


def test_an_anonymous_key_is_refused_before_anything_is_sent(
    rest: PostgrestDouble, people_table: str, tmp_path: Path
) -> None:
    """TRAPS: anon keys: decode the key's role up front (exit 5)."""
    for key in (jwt("anon"), "sb_publishable_test"):
        anonymous = Connector("supabase.table", {"url": rest.url, "key": key}, tmp_path)
        with pytest.raises(ConnectError, match="publishable") as caught:
            write(anonymous, people_table, people([1]))
        assert caught.value.exit_code == 5
    assert not [request for request in rest.requests if request.method == "POST"]


def test_key_roles() -> None:
    assert [key_role(key) for key in (jwt("service_role"), jwt("anon"), jwt("authenticated"))] == [
        "service_role",
        "anon",
        "authenticated",
    ]
    assert [key_role(key) for key in ("sb_secret_x", "sb_publishable_x", "a.b.c", "nonsense")] == [
        "service_role",
        "anon",
        "",
        "",
    ]


def test_row_level_security_that_hides_rows_is_seen_in_the_count(
    rest: PostgrestDouble, people_table: str, postgres_database: PostgresDatabase, tmp_path: Path
) -> None:
    postgres_database.execute("ALTER TABLE people ENABLE ROW LEVEL SECURITY")
    user = Connector("supabase.table", {"url": rest.url, "key": jwt("authenticated"), "channel": "rest"}, tmp_path)
    with pytest.raises(Exception, match="row-level security") as caught:
        write(user, people_table, people([1]))
    fault = user.driver.map_error(caught.value)
    assert fault is not None
    assert (fault.code, fault.kind) == ("OSI-C044", "connection")


def test_nothing_is_echoed(connector: Connector, people_table: str, rest: PostgrestDouble) -> None:
    """TRAPS: inserts echo every row unless returning="minimal"."""
    write(connector, people_table, people([1]))
    assert [request.prefer for request in rest.requests if request.method == "POST"] == ["return=minimal,count=exact"]


def test_a_statement_timeout_halves_the_request(
    connector: Connector, people_table: str, rest: PostgrestDouble, postgres_database: PostgresDatabase
) -> None:
    """TRAPS: 57014: halve the batch and go on."""
    rest.statement_timeout = 300
    postgres_database.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM pg_sleep((SELECT count(*) FROM new_rows) * 0.002); RETURN NULL; END$$"
    )
    postgres_database.execute(
        "CREATE TRIGGER wait AFTER INSERT ON people REFERENCING NEW TABLE AS new_rows "
        "FOR EACH STATEMENT EXECUTE FUNCTION wait()"
    )
    assert write(connector, people_table, people(range(400))).written == 400
    assert [request.rows for request in rest.requests if request.method == "POST"] == [
        400,
        200,
        100,
        100,
        200,
        100,
        100,
    ]
    assert postgres_database.query("SELECT count(*), count(DISTINCT id) FROM people") == [(400, 400)]


def test_a_stale_schema_cache_is_waited_for(
    connector: Connector, people_table: str, rest: PostgrestDouble, postgres_database: PostgresDatabase, quick: None
) -> None:
    """TRAPS: PGRST204/205 after DDL: NOTIFY, then poll."""
    del rest.tables["people"].columns["score"]
    described = rest.tables
    seen = []

    def renew_later(request: Request) -> None:
        if request.path == "/rest/v1/":
            rest.reload()
        elif request.method == "POST":
            seen.append(request)
            if len(seen) == 1:
                rest.tables = described
            if len(seen) == 3:
                postgres_database.execute("NOTIFY pgrst, 'reload schema'")

    rest.on_request = renew_later
    assert write(connector, people_table, people([1])).written == 1
    assert len(seen) >= 3


@pytest.mark.parametrize(("status", "code"), [(503, "PGRST002"), (504, "PGRST003")])
def test_a_busy_api_is_asked_again(
    connector: Connector, people_table: str, rest: PostgrestDouble, quick: None, status: int, code: str
) -> None:
    failures = [ApiError(status, code, "busy")] * 2

    def fail(request: Request) -> None:
        if request.method == "POST" and failures:
            raise failures.pop()

    rest.on_request = fail
    assert write(connector, people_table, people([1])).written == 1


def test_an_answer_that_is_lost_after_the_commit_is_not_repeated_for_an_append(
    connector: Connector, people_table: str, rest: PostgrestDouble, postgres_database: PostgresDatabase, quick: None
) -> None:
    """At least once: the engine decides, not the client behind its back."""

    def lose(request: Request) -> None:
        if request.method == "POST":
            raise ApiError(502, "502", "Bad Gateway")

    rest.after_request = lose
    with pytest.raises(Exception, match="Bad Gateway") as caught:
        write(connector, people_table, people([1]))
    fault = connector.driver.map_error(caught.value)
    assert fault is not None
    assert fault.retryable
    assert postgres_database.query("SELECT count(*) FROM people") == [(1,)]
    assert len([request for request in rest.requests if request.method == "POST"]) == 1


def test_a_source_that_fails_midway_leaves_the_target_alone(
    connector: Connector, people_table: str, rest: PostgrestDouble, postgres_database: PostgresDatabase
) -> None:
    config = connector.write_config(people_table, "append", create="never")
    target = connector.driver.open_writer(connector.connection, config, connector.context())
    target.begin()

    def broken() -> Iterator[pa.RecordBatch]:
        yield from people(range(5000)).to_batches()
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        target.stage(BatchStream(people([]).schema, broken()))
    target.abort()
    target.close()
    assert postgres_database.query("SELECT count(*) FROM people") == [(0,)]
    assert not list((connector.work_dir / "work").iterdir())


def test_a_merge_key_that_comes_twice_in_two_requests_is_an_error(
    connector: Connector, people_table: str, rest: PostgrestDouble
) -> None:
    with pytest.raises(RunError, match="comes twice, for example id=0"):
        write(connector, people_table, people([*range(1500), 0]), "merge", merge_keys=["id"])
    assert not [request for request in rest.requests if request.method == "POST"]


def test_a_null_merge_key_is_an_error(connector: Connector, people_table: str) -> None:
    data = people([1]).set_column(0, "id", pa.array([None], pa.int64()))
    with pytest.raises(RunError, match='merge key "id" is NULL'):
        write(connector, people_table, data, "merge", merge_keys=["id"])


def test_the_character_nul_is_an_error_or_counted(connector: Connector, people_table: str) -> None:
    data = people([7]).set_column(1, "name", pa.array(["a\0b"]))
    with pytest.raises(RunError, match=r'column "name" has 1 value.*id=7'):
        write(connector, people_table, data, "merge", merge_keys=["id"])
    assert write(connector, people_table, data, on_nul="strip").coerced == {"on_nul": 1}
    assert connector.rows(people_table)[0]["name"] == "ab"


def test_what_the_channel_cannot_do_is_refused_by_name(connector: Connector, people_table: str) -> None:
    settings: tuple[tuple[str, dict[str, Any]], ...] = (
        ("replace", {}),
        ("append", {"create": "if_missing"}),
        ("append", {"on_drift": "add_columns"}),
        ("merge", {"merge_keys": ["id"], "delete_missing": True}),
    )
    for mode, config in settings:
        with pytest.raises(RunError, match="the REST channel cannot do"):
            connector.write(people_table, people([1]), mode, **{"create": "never", **config})
    with pytest.raises(RunError, match="cannot do query"):
        connector.read(None, query="SELECT 1 AS a")


def test_a_table_without_a_key_is_not_read(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    postgres_database.execute("CREATE TABLE loose (a int4)")
    rest.reload()
    with pytest.raises(RunError, match="no primary key"):
        connector.read("loose")


def test_a_read_that_cannot_be_compared_is_said(connector: Connector, people_table: str) -> None:
    for checksum, codes in ((False, []), (True, ["OSI-R115"])):
        connector.batches(connector.read_config(people_table), checksum=checksum)
        assert [code for code, _ in connector.warnings] == codes


def test_there_is_no_ledger_to_read_a_state_from(connector: Connector, people_table: str) -> None:
    config = connector.write_config(people_table, "append", create="never")
    target = connector.driver.open_writer(connector.connection, config, connector.context())
    assert target.begin() is None
    with pytest.raises(RunError, match="no ledger"):
        target.read_state()
    target.close()


def test_discovery_says_keys_types_and_references(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    postgres_database.execute("CREATE TYPE mood AS ENUM ('sad', 'glad')")
    postgres_database.execute(
        "CREATE TABLE a (id int8 PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), m mood, n numeric(8,2));"
        "CREATE TABLE b (a_id int8 REFERENCES a, t text); COMMENT ON COLUMN b.t IS 'words';"
        "CREATE VIEW v AS SELECT * FROM b"
    )
    rest.reload()
    catalog = connector.driver.discover(connector.connection, Scope())
    a, b, v = (catalog.table(name) for name in "abv")
    assert a is not None and b is not None and v is not None
    assert a.primary_key == ("id",)
    assert [(c.name, c.arrow, c.osiris_type, c.nullable, c.has_default) for c in a.columns] == [
        ("id", "int64", "", False, True),
        ("at", "timestamp[us, tz=UTC]", "", False, True),
        ("m", "string", "enum", True, False),
        ("n", "string", "decimal", True, False),
    ]
    assert b.foreign_keys[0].ref_table == "a"
    assert b.columns[1].comment == "words"
    assert catalog.server_version.startswith("PostgREST")
    before = connector.driver.probe(connector.connection, Scope())
    postgres_database.execute("ALTER TABLE b ADD COLUMN u int4")
    rest.reload()
    assert connector.driver.probe(connector.connection, Scope()) != before


def test_doctor(connector: Connector, rest: PostgrestDouble, tmp_path: Path) -> None:
    findings = {finding.category: finding.status for finding in connector.driver.check(connector.connection)}
    assert findings == {"key_role": "ok", "tls": "warning", "network": "ok", "version": "ok", "authentication": "ok"}
    wrong = connector.connection_with(key=jwt("service_role")[:-2] + "xx")
    assert [(f.category, f.status) for f in connector.driver.check(wrong)][-1] == ("authentication", "failed")
    anonymous = connector.connection_with(key=jwt("anon"))
    assert ("key_role", "failed") in {(f.category, f.status) for f in connector.driver.check(anonymous)}
    nowhere = connector.connection_with(url="http://127.0.0.1:1")
    assert [(f.category, f.status) for f in connector.driver.check(nowhere)][-1] == ("network", "failed")


def test_the_double_refuses_what_it_does_not_implement(rest: PostgrestDouble) -> None:
    """That this list is empty at the end of a test is what makes the other tests mean something."""
    import httpx

    headers = {"Authorization": f"Bearer {jwt('service_role')}"}
    assert httpx.post(f"{rest.url}/rest/v1/rpc/wipe", headers=headers, json={}).status_code == 501
    assert httpx.get(f"{rest.url}/auth/v1/admin/users", headers=headers).status_code == 501
    assert rest.unsupported == ["POST /rest/v1/rpc/wipe", "GET /auth/v1/admin/users"]
    rest.unsupported.clear()
