"""What a spec declares is enforced: capabilities, delivery, its own messages, roles of nested values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from osiris_core.component import Component
from osiris_core.hookspecs import hookimpl
from osiris_core.oml import load
from osiris_core.session import Session
from osiris_core.spec.roles import RoleTree
from osiris_core.validate import validate
from osiris_core.validate.safety import path_fault

SPEC = """\
apiVersion: osiris/v1
name: lab.table
version: 1.0.0
title: Lab
modes: [read, write]
capabilities:
  read: full
  read.incremental: not_implemented
  write.append: full
  write.merge: unsupported
driver: "osiris_core.drivers:Driver"
delivery: {sql: exactly_once, rest: at_least_once}
connectionSchema:
  type: object
  additionalProperties: false
  properties:
    channel: {enum: [sql, rest]}
configSchema:
  read:
    type: object
    additionalProperties: false
    properties:
      table: {type: string}
      incremental: {type: object}
      files: {type: array, items: {type: object, properties: {name: {type: string, x-role: path}}}}
      token: {type: string}
      a: {type: integer}
      b: {type: integer, maximum: 9, errorMessage: {maximum: "b is a digit"}}
    dependentRequired: {a: [b]}
    errorMessage: {dependentRequired: "a goes with b"}
  write:
    type: object
    required: [table]
    additionalProperties: false
    properties:
      table: {type: string}
      write_mode: {enum: [append, merge]}
      require: {enum: [exactly_once, at_least_once]}
      channel: {enum: [sql, rest]}
examples:
  - {mode: read, config: {}}
  - {mode: write, config: {table: t}}
context: {guidance: Nothing.}
"""


class Lab:
    """A plugin with one component."""

    def __init__(self, spec: Path) -> None:
        self.spec = spec

    @hookimpl
    def osiris_components(self) -> list[Component]:
        return [Component("lab.table", self.spec)]


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "osiris_connections.yaml").write_text("connections: {slow: {component: lab, channel: rest}}\n")
    session = Session.open(tmp_path, plugins=[])
    session.plugins.register("lab", Lab(tmp_path / "spec.yaml"))
    return session


def problems(session: Session, config: str, mode: str = "read", extra: str = "") -> list[tuple[str, str]]:
    needs = "needs: [rows]" if mode == "write" else ""
    source = "rows" if mode == "write" else "step"
    text = f"""\
oml_version: "0.0.1"
name: lab
steps:
  - {{id: step, component: lab.table, mode: {mode}, {extra} {needs + "," if needs else ""} config: {config}}}
  - {{id: rows, component: lab.table, mode: read, config: {{}}}}
  - {{id: sink, component: lab.table, mode: write, needs: [{source}], config: {{table: t}}}}
"""
    found = validate(load(text), session, mode="strict").problems
    return [(p.code, p.message) for p in found if p.severity == "error"]


@pytest.mark.parametrize(
    ("config", "mode", "said"),
    [
        ("{incremental: {}}", "read", "lab.table does not implement read.incremental"),
        ("{table: t, write_mode: merge}", "write", "lab.table does not support write.merge"),
    ],
)
def test_only_full_capabilities_can_be_used(session: Session, config: str, mode: str, said: str) -> None:
    assert problems(session, config, mode) == [("OSI-V122", said)]


@pytest.mark.parametrize(
    ("config", "extra", "refused"),
    [
        ("{table: t, require: exactly_once, channel: sql}", "", False),
        ("{table: t, require: exactly_once, channel: rest}", "", True),
        ("{table: t, require: exactly_once}", "", True),
        ("{table: t, require: exactly_once}", 'connection: "@slow",', True),
        ("{table: t, require: at_least_once, channel: rest}", "", False),
        ("{table: t, channel: rest}", "", False),
    ],
)
def test_exactly_once_is_promised_or_refused(session: Session, config: str, extra: str, refused: bool) -> None:
    found = problems(session, config, "write", extra)
    assert [code for code, _ in found] == (["OSI-V125"] if refused else [])


def test_a_specs_own_message_replaces_the_librarys(session: Session) -> None:
    assert problems(session, "{a: 1}") == [("OSI-V101", "a goes with b")]
    assert problems(session, "{b: 10}") == [("OSI-V105", "b is a digit")]


def test_paths_are_found_wherever_their_role_is(session: Session) -> None:
    assert problems(session, "{files: [{name: a.csv}, {name: ../b.csv}]}") == [
        ("OSI-V302", '"name" contains .., which leads out of its directory')
    ]


def test_a_field_that_the_spec_declares_is_no_secret(session: Session) -> None:
    assert problems(session, "{token: x}") == []
    assert [code for code, _ in problems(session, "{api_token: x}")] == ["OSI-V301"]


def test_a_connection_that_is_not_required_may_be_left_out(session: Session) -> None:
    assert problems(session, "{}") == []
    assert problems(session, "{}", extra='connection: "@slow",') == []


@pytest.mark.parametrize(
    ("path", "fine"),
    [
        ("a/b.csv", True), ("a..b/c", True), (".hidden", True), ("a b/ü.csv", True), ("/etc/passwd", False),
        ("../x", False),
        ("a/../../x", False), ("a\\..\\x", False), ("~/x", False), ("C:\\x", False), ("file:///x", False),
        ("s3://b/x", False), ("\\\\host\\x", False),
    ],
)  # fmt: skip
def test_paths(path: str, fine: bool) -> None:
    assert (path_fault(path) == "") is fine


def test_roles_of_a_schema_that_refers_to_itself() -> None:
    schema: dict[str, Any] = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "properties": {
                    "name": {"$ref": "#/$defs/name"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    "extra": {"additionalProperties": {"x-role": "path"}},
                },
                "allOf": [{"properties": {"sql": {"x-role": "sql"}}}],
                "then": {"properties": {"key": {"x-role": "column"}}},
            },
            "name": {"type": "string", "x-role": "table"},
        },
    }
    value = {"name": "a", "children": [{"name": "b", "sql": "x"}], "extra": {"p": "q"}, "key": "k", "other": 1}
    assert sorted(RoleTree.of(schema).find(value)) == [
        (("children", 0, "name"), "table", "b"),
        (("children", 0, "sql"), "sql", "x"),
        (("extra", "p"), "path", "q"),
        (("key",), "column", "k"),
        (("name",), "table", "a"),
    ]
