"""``osiris upgrade``: the keboola dialect in, OML 0.0.1 out, comments and layout kept."""

from __future__ import annotations

from typing import Any

import pytest

from osiris_core.oml import load
from osiris_core.oml.keboola import Upgrade, upgrade

HEAD = 'oml_version: "0.1.0"\nname: copy\n'


def upgraded(text: str) -> tuple[Any, Upgrade]:
    done = upgrade(load(text))
    document = load(done.text)
    assert document.problems == [], done.text
    return document.value, done


def step(component: str, config: str, **keys: str) -> str:
    lines = [f"- id: {keys.pop('id', 'a-step')}", f"  component: {component}"]
    lines += [f"  {key}: {value}" for key, value in keys.items()]
    return "\n".join([*lines, f"  config: {config}"]) + "\n"


WHOLE = """\
# nightly copy
oml_version: "0.1.0"   # the old one
name: copy-movies

steps:
# first the source
- id: extract-movies
  component: mysql.extractor
  mode: read
  config:
    connection: "@mysql.db_movies"   # production
    query: |
      SELECT * FROM movies   -- all of them

- id: compute-stats
  component: duckdb.processor
  mode: transform
  needs: [ "extract-movies" ]
  config:
    query: |
      SELECT director_id, COUNT(*) AS movies
      FROM input_df
      GROUP BY director_id

- id: write-stats
  component: supabase.writer
  mode: write
  needs: [ "compute-stats" ]
  config:
    connection: "@supabase.main"
    table: "director_stats"
    create_if_missing: true
    write_mode: "upsert"   # by key
    primary_key: [ "director_id" ]
    batch_size: 500
"""
NEW = """\
# nightly copy
oml_version: "0.0.1"   # the old one
name: copy-movies

steps:
# first the source
- id: extract_movies
  component: mysql.table
  mode: read
  connection: "@db_movies"
  config:
    query: |
      SELECT * FROM movies   -- all of them

- id: compute_stats
  component: duckdb.sql
  mode: transform
  needs: [ "extract_movies" ]
  config:
    sql: |
      SELECT director_id, COUNT(*) AS movies
      FROM extract_movies
      GROUP BY director_id

- id: write_stats
  component: supabase.table
  mode: write
  connection: "@main"
  needs: [ "compute_stats" ]
  config:
    table: "director_stats"
    create: if_missing
    write_mode: "merge"   # by key
    merge_keys: [ "director_id" ]
"""


def test_a_whole_pipeline_keeps_its_comments_and_layout() -> None:
    done = upgrade(load(WHOLE))
    assert done.text == NEW
    assert not any(note.todo for note in done.notes)
    assert any("@mysql.db_movies" in note.message for note in done.notes)
    assert any("batch_size" in note.message for note in done.notes)


def test_windows_line_ends_stay() -> None:
    done = upgrade(load(WHOLE.replace("\n", "\r\n")))
    assert done.text == NEW.replace("\n", "\r\n")


def test_what_is_not_of_the_dialect_comes_back_unchanged() -> None:
    text = 'oml_version: "0.0.1"\nname: x\nsteps: []\n'
    assert upgrade(load(text)).text == text
    assert upgrade(load("- a\n")).text == "- a\n"


def test_files_go_through_a_connection() -> None:
    config = '{path: "./out/a.csv", delimiter: ",", header: true, encoding: utf-8, newline: lf}'
    text = (
        HEAD + "steps:\n" + step("mysql.extractor", "{query: SELECT 1}", id="a") + step("filesystem.csv_writer", config)
    )
    value, done = upgraded(text)
    assert value["steps"][1] == {
        "id": "a_step",
        "component": "file.table",
        "mode": "write",
        "needs": ["a"],
        "connection": "@files",
        "config": {"table": "out/a.csv", "delimiter": ",", "header": True, "write_mode": "replace"},
    }
    assert any("component: file" in note.message for note in done.notes)


def test_a_supabase_reader() -> None:
    config = (
        '{connection: "@supabase.main", table: t, select: "id,email", filter: {age: gte.18}, order: id.desc, limit: 5}'
    )
    value, _ = upgraded(HEAD + "steps:\n" + step("supabase.extractor", config, mode="extract"))
    assert value["steps"][0]["mode"] == "read"
    assert value["steps"][0]["connection"] == "@main"
    assert value["steps"][0]["config"] == {
        "table": "t",
        "columns": ["id", "email"],
        "where": [{"column": "age", "op": ">=", "value": 18}],
        "order_by": [{"column": "id", "descending": True}],
        "limit": 5,
    }


def test_a_mysql_writer_has_its_write_mode_renamed() -> None:
    config = '{connection: "@mysql.x", table: t, mode: upsert, upsert_keys: [id], create_table: false, pool_size: 3}'
    value, _ = upgraded(HEAD + "steps:\n" + step("mysql.writer", config, mode="write", needs="[a]"))
    assert value["steps"][0]["config"] == {"table": "t", "write_mode": "merge", "merge_keys": ["id"], "create": "never"}


def test_one_key_becomes_a_list_of_one() -> None:
    config = '{connection: "@supabase.x", table: t, write_mode: upsert, primary_key: "id", create_if_missing: true}'
    value, _ = upgraded(HEAD + "steps:\n" + step("supabase.writer", config, needs="[a]", mode="write"))
    assert value["steps"][0]["config"]["merge_keys"] == ["id"]


def test_inputs_and_the_linear_chain_become_needs() -> None:
    text = (
        HEAD
        + "steps:\n"
        + step("mysql.extractor", "{query: SELECT 1}", id="one-a", mode="read")
        + step("duckdb.processor", '{query: "SELECT * FROM df_one_a"}', id="two", mode="transform")
        + step("mysql.writer", "{table: t}", id="three", mode="write", inputs='{df: "${one-a.df}"}')
        + step("mysql.extractor", "{query: SELECT 2}", id="four", mode="read", needs="[three]")
    )
    value, _ = upgraded(text)
    assert [s.get("needs") for s in value["steps"]] == [None, ["one_a"], ["one_a"], None]
    assert value["steps"][1]["config"] == {"sql": "SELECT * FROM one_a"}
    assert "inputs" not in value["steps"][2]
    assert value["steps"][2]["config"]["write_mode"] == "append"


def test_aliases_of_two_families_are_kept_apart() -> None:
    text = (
        HEAD
        + "steps:\n"
        + step("mysql.extractor", '{connection: "@mysql.default", table: t}', id="a", mode="read")
        + step("supabase.writer", '{connection: "@supabase.default", table: t}', id="b", mode="write")
    )
    value, _ = upgraded(text)
    assert [s["connection"] for s in value["steps"]] == ["@mysql_default", "@supabase_default"]


def test_ids_stay_apart_when_they_become_identifiers() -> None:
    text = HEAD + "steps:\n" + "".join(step("mysql.extractor", "{table: t}", id=name) for name in ("a-b", "a_b", "1x"))
    value, _ = upgraded(text)
    ids = [s["id"] for s in value["steps"]]
    assert ids[1:] == ["a_b", "_1x"]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "profiles: {dev: {}}\nsteps: []\n", "profiles"),
        (HEAD + "params: {a: {type: list, default: x}}\nsteps: []\n", "list"),
        (HEAD + "steps:\n" + step("graphql.extractor", "{query: x}"), "graphql.extractor"),
        (
            HEAD + "steps:\n" + step("mysql.extractor", "{table: t, password: canary}"),
            "osiris_connections.yaml as ${NAME}",
        ),
        (HEAD + "steps:\n" + step("mysql.extractor", "{table: t, host: h}"), "osiris_connections.yaml"),
        (HEAD + "steps:\n" + step("mysql.extractor", "{table: t, offset: 5}"), "offset"),
        (HEAD + "steps:\n" + step("supabase.extractor", '{table: t, select: "*,a(b)"}'), "select"),
        (HEAD + "steps:\n" + step("supabase.extractor", "{table: t, filter: {a: ilike.x}}"), "filter"),
        (HEAD + "steps:\n" + step("mysql.writer", "{table: t, mode: odd}"), "odd"),
        (HEAD + "steps:\n" + step("filesystem.csv_writer", "{path: /abs.csv}"), "absolute"),
    ],
)
def test_what_cannot_be_translated_is_reported_and_left(text: str, said: str) -> None:
    value, done = upgraded(text)
    todo = [note.message for note in done.notes if note.todo]
    assert any(said in message for message in todo), todo
    assert not any("canary" in message for message in todo)
    assert value["oml_version"] == "0.0.1"


def test_parameter_types_are_renamed() -> None:
    text = HEAD + "params: {a: {type: int, default: 1, enum: [1]}, b: {type: bool, default: true}}\nsteps: []\n"
    value, _ = upgraded(text)
    assert value["params"] == {"a": {"type": "integer", "default": 1}, "b": {"type": "boolean", "default": True}}
