"""``osiris components check``: everything wrong with a spec at once, each with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from osiris_core.spec.check import check_text
from osiris_core.testing.cli import Osiris

GOOD = """\
apiVersion: osiris/v1
name: shop.table
version: 1.0.0
title: Shop table
modes: [read, write]
capabilities: {discover: full, read: full, write.append: full, write.merge: not_implemented}
driver: "json:JSONDecoder"
delivery: {default: exactly_once}
secrets: [/auth/token]
connectionSchema:
  type: object
  properties:
    host: {type: string, x-override: allowed}
    auth: {type: object, properties: {token: {type: string}}}
configSchema:
  read:
    type: object
    additionalProperties: false
    properties: {table: {$ref: "urn:osiris:schema:common:v1#/$defs/table"}}
  write: {type: object, properties: {table: {type: string}}}
examples:
  - {mode: read, config: {table: orders}}
context: {aliases: [shop], guidance: name the table}
"""


def problems(text: str) -> list[tuple[str, int, str]]:
    return [(p.code, p.span.line if p.span else 0, p.message) for p in check_text(text.encode(), "spec.yaml")[1]]


def test_a_good_spec_has_no_problem() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "words"),
    [
        ("osiris/v1", "osiris/v2", "OSI-P010", 1, 'must be "osiris/v1"'),
        ("name: shop.table", "name: Shop", "OSI-P010", 2, "<system>.<object>"),
        ("version: 1.0.0", "version: 1.0", "OSI-P010", 3, "must be text"),
        ("title: Shop table", "titel: Shop table", "OSI-P010", 4, 'unknown field "titel"'),
        ("modes: [read, write]", "modes: [read]", "OSI-P013", 6, '"write.append" is full, but "modes" has no write'),
        ("modes: [read, write]", "modes: []", "OSI-P010", 5, "must not be empty"),
        ("[read, write]", "[read, write, transform]", "OSI-P010", 15, 'so "configSchema" needs transform'),
        (
            "write.append: full",
            "write.append: some",
            "OSI-P010",
            6,
            "must be one of full, not_implemented, unsupported",
        ),
        (
            "write.append: full",
            "write.append: unsupported",
            "OSI-P013",
            5,
            'no capability is full for the mode "write"',
        ),
        ("discover: full", "discovr: full", "OSI-P010", 6, 'unknown field "discovr"'),
        ("json:JSONDecoder", "json.JSONDecoder", "OSI-P010", 7, "must be module:Class"),
        ("delivery: {default: exactly_once}\n", "", "OSI-P010", 1, '"delivery" must be said'),
        ("[/auth/token]", "[/auth/tokn]", "OSI-P015", 9, 'no property "tokn"'),
        ("[/auth/token]", "[password]", "OSI-P010", 9, "a secret is a JSON Pointer"),
        ("host: {type: string", "host: {type: strng", "OSI-P011", 13, '"type" must be'),
        ("allowed}", "always}", "OSI-P010", 13, "must be one of allowed, forbidden"),
        ("$defs/table", "$defs/tabel", "OSI-P014", 19, 'no shared definition "tabel"'),
        ("urn:osiris:schema:common:v1#", "https://example.com/x#", "OSI-P014", 19, "neither local"),
        ("{mode: read, config: {table: orders}}", "{mode: read, config: {tabel: x}}", "OSI-P012", 22, "tabel"),
        ("{mode: read, config", "{mode: transform, config", "OSI-P012", 22, 'no "configSchema" for the mode transform'),
        ("guidance: name the table", "guidance: ''", "OSI-P010", 23, "must not be empty"),
    ],
)
def test_each_fault_is_found_where_it_is(old: str, new: str, code: str, line: int, words: str) -> None:
    assert old in GOOD
    found = problems(GOOD.replace(old, new))
    assert any((c, n) == (code, line) and words in message for c, n, message in found), found


@pytest.mark.parametrize("text", ["", "[]", "- a", "name", "a: [", "\x00", "a: &x 1\nb: *x\n"])
def test_what_is_no_spec_at_all_is_refused(text: str) -> None:
    assert problems(text)


def test_faults_are_reported_together_with_carets(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(GOOD.replace("version: 1.0.0", "version: one").replace("titl", "tilt").replace("full", "ful"))
    result = Osiris(tmp_path)("components", "check", tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "   3 | version: one\n     |          ^^^" in result.stderr
    assert "   4 | tilte: Shop table\n     | ^^^^^" in result.stderr
    assert 'mend: did you mean "title"?' in result.stderr
    assert result.stderr.count("error OSI-P010") == 6

    as_json = Osiris(tmp_path)("components", "check", spec, "--json")
    assert as_json.returncode == 2
    value = json.loads(as_json.stdout)
    assert (value["ok"], len(value["problems"])) == (False, 6)


def test_a_driver_that_cannot_be_loaded_is_a_warning_to_its_author(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(GOOD.replace("json:JSONDecoder", "not_installed_yet:Driver"))
    result = Osiris(tmp_path)("components", "check", spec)
    assert result.returncode == 0
    assert "warning OSI-P004" in result.stderr
    assert "not_installed_yet" in result.stderr


def test_a_path_that_is_not_there_is_invalid_input(tmp_path: Path) -> None:
    result = Osiris(tmp_path)("components", "check", "nowhere.yaml")
    assert result.returncode == 2
    assert "nowhere.yaml" in result.stderr


def test_the_schema_of_specs_is_valid_and_versioned() -> None:
    from osiris_core.json_schema import Codes, SchemaChecker
    from osiris_core.spec.check import METASCHEMA, spec_schema

    schema = spec_schema()
    assert schema["$id"] == "urn:osiris:schema:spec:v1"
    assert SchemaChecker({"$ref": METASCHEMA}, Codes("a", "b", "c")).problems(schema) == []
    assert set(yaml.safe_load(GOOD)) <= set(schema["properties"])
