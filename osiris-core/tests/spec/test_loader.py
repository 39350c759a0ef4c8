"""Specs load from YAML once and from a cache afterwards, and the cache heals itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from osiris_core import PluginError
from osiris_core.spec import loader
from osiris_core.spec.bundle import BundleError, bundle, common_definitions
from osiris_core.spec.loader import load_spec

SPEC = """\
apiVersion: osiris/v1
name: shop.table
version: 1.0.0
title: Shop table
modes: [read]
capabilities: {read: full}
driver: "m:D"
configSchema:
  read:
    type: object
    properties:
      where: {$ref: "urn:osiris:schema:common:v1#/$defs/where"}
examples: [{mode: read, config: {}}]
context: {guidance: x}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def entries(spec: Path) -> list[Path]:
    return sorted((spec.parent / "cache" / "osiris" / "specs").iterdir())


def from_cache_only(spec: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    with monkeypatch.context() as patched:
        patched.setattr(loader, "_from_yaml", None)
        return load_spec(spec, "shop")


def test_the_second_load_comes_from_the_cache_and_is_equal(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_spec(spec, "shop")
    assert len(entries(spec)) == 1
    assert from_cache_only(spec, monkeypatch) == first
    assert first.modes == ("read",)
    assert len(first.fingerprint) == 64


def test_a_changed_file_is_another_entry_and_another_fingerprint(spec: Path) -> None:
    first = load_spec(spec, "shop")
    spec.write_text(SPEC.replace("1.0.0", "1.0.1"))
    second = load_spec(spec, "shop")
    assert (first.version, second.version) == ("1.0.0", "1.0.1")
    assert first.fingerprint != second.fingerprint
    assert len(entries(spec)) == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe\x00", b"00\n{}", b"null", "truncate", "flip"])
def test_a_damaged_entry_is_replaced(spec: Path, damage: bytes | str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_spec(spec, "shop")
    (entry,) = entries(spec)
    good = entry.read_bytes()
    flipped = good.replace(b"Shop table", b"Evil table")
    entry.write_bytes({"truncate": good[:-20], "flip": flipped}.get(damage, damage))  # type: ignore[call-overload]
    assert load_spec(spec, "shop") == whole
    assert entry.read_bytes() == good
    assert from_cache_only(spec, monkeypatch) == whole


def planted(spec: Path) -> Path:
    """The only entry, with another driver in it and all checksums right."""
    load_spec(spec, "shop")
    (entry,) = entries(spec)
    body = entry.read_bytes().partition(b"\n")[2].replace(b'"m:D"', b'"evil:D"')
    entry.write_bytes(loader._checksum(entry, body) + b"\n" + body)
    assert load_spec(spec, "shop").driver == "evil:D", "as long as only its owner can write it, it is believed"
    return entry


@pytest.mark.parametrize("mode", [0o620, 0o602])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_an_entry_that_others_could_write_is_not_read(spec: Path, depth: int, mode: int) -> None:
    path = (planted(spec), *planted(spec).parents)[depth]
    path.chmod(mode | (0o100 if depth else 0))
    assert load_spec(spec, "shop").driver == "m:D"


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_an_entry_of_somebody_else_is_not_read(spec: Path, depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = (planted(spec), *planted(spec).parents)[depth]
    own = path.stat()
    real = loader._only_ours
    foreign = os.stat_result((own.st_mode, own.st_ino, own.st_dev, own.st_nlink, os.geteuid() + 1, 0, 0, 0, 0, 0))
    monkeypatch.setattr(loader, "_only_ours", lambda status: real(foreign if os.path.samestat(status, own) else status))
    assert load_spec(spec, "shop").driver == "m:D"


def test_an_entry_under_another_name_is_not_read(spec: Path) -> None:
    (entry,) = [planted(spec)]
    spec.write_text(SPEC.replace("1.0.0", "1.0.1"))
    load_spec(spec, "shop")
    (other,) = [path for path in entries(spec) if path != entry]
    entry.replace(other)
    assert load_spec(spec, "shop").driver == "m:D"


def test_the_cache_is_its_owners_only(spec: Path) -> None:
    load_spec(spec, "shop")
    (entry,) = entries(spec)
    rights = [path.stat().st_mode & 0o777 for path in (entry, entry.parent, entry.parent.parent)]
    assert rights == [0o600, 0o700, 0o700]


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = spec.parent / "blocked"
    blocked.write_text("a file where the directory should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert load_spec(spec, "shop").name == "shop.table"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert load_spec(spec, "shop").name == "shop.table"


def test_a_relative_cache_directory_is_ignored(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(spec.parent)
    monkeypatch.setenv("HOME", str(spec.parent / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    load_spec(spec, "shop")
    assert not (spec.parent / "relative").exists()
    assert (spec.parent / "home" / ".cache" / "osiris" / "specs").is_dir()


@pytest.mark.parametrize("text", ["", "name: [", SPEC.replace("full", "half"), SPEC.replace("$defs/where", "$defs/x")])
def test_a_broken_spec_is_an_error_that_names_plugin_and_command(spec: Path, text: str) -> None:
    spec.write_text(text)
    with pytest.raises(PluginError, match='plugin "shop": its spec is not valid') as caught:
        load_spec(spec, "shop")
    assert f"osiris components check {spec}" in caught.value.hint
    assert not (spec.parent / "cache").exists()


def test_a_missing_spec_is_an_error_that_names_the_plugin(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r'plugin "shop": its spec .* cannot be read: No such file'):
        load_spec(tmp_path / "spec.yaml", "shop")


def test_a_bundled_schema_refers_to_nothing_outside_itself(spec: Path) -> None:
    schema = load_spec(spec, "shop").config_schema["read"]
    assert schema["properties"]["where"] == {"$ref": "#/$defs/where"}
    assert set(schema["$defs"]) == {"where", "condition", "column", "scalar"}
    assert "urn:osiris:schema:common" not in str(schema)


def test_every_shared_definition_can_be_bundled_and_is_valid() -> None:
    from osiris_core.json_schema import Codes, SchemaChecker

    for name in common_definitions():
        schema = bundle({"$ref": f"urn:osiris:schema:common:v1#/$defs/{name}"})
        [problem] = SchemaChecker(schema, Codes("unknown", "missing", "value")).problems(None)
        assert (problem.code, problem.path) == ("value", ()), name


def test_an_own_definition_may_not_take_a_shared_name() -> None:
    shared = "urn:osiris:schema:common:v1#/$defs/table"
    with pytest.raises(BundleError, match='"table" in \\$defs is the name of a shared definition'):
        bundle({"properties": {"t": {"$ref": shared}}, "$defs": {"table": {"type": "integer"}}})
    own = bundle({"properties": {"t": {"$ref": "#/$defs/table"}}, "$defs": {"table": {"type": "integer"}}})
    assert own["$defs"] == {"table": {"type": "integer"}}
