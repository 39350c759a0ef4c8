"""A broken plugin is shown and costs nothing but itself: real distributions, real processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osiris_core import API_VERSION, Plugins
from osiris_core.plugin_loader import compatible
from osiris_core.testing.cli import Osiris

HOOK = 'from osiris_core import hookimpl, Component\nOSIRIS_API = "1.0"\n@hookimpl\n'
#: Plugin, its source, the state it ends up in and words of the reason.
BROKEN = {
    "imports": ("import no_such_module_anywhere\n", "broken", "No module named"),
    "exits": ("import sys\nsys.exit(0)\n", "broken", "SystemExit"),
    "syntax": ("def (:\n", "broken", "SyntaxError"),
    "argument": (HOOK + "def osiris_validate_step(step, colour):\n    return []\n", "broken", "colour"),
    "wrapper": (
        HOOK.replace("@hookimpl", "@hookimpl(wrapper=True)") + "def osiris_components():\n    yield\n",
        "broken",
        "wrappers are not supported",
    ),
    "unknown": (HOOK + "def osiris_componets():\n    return []\n", "partial", 'did you mean "osiris_components"?'),
    "raises": (HOOK + "def osiris_components():\n    raise ValueError('boom')\n", "partial", "ValueError: boom"),
    "halfway": (
        HOOK + "def osiris_components():\n    yield Component('half.way', 'spec.yaml')\n    raise SystemExit(3)\n",
        "partial",
        "SystemExit",
    ),
    "types": (HOOK + "def osiris_components():\n    return ['mysql.table']\n", "partial", "returned str"),
    "silent": ("from osiris_core import hookimpl\n", "incompatible", "states no plugin API"),
    "future": ('OSIRIS_API = "1.99"\n', "incompatible", "was built for plugin API 1.99"),
    "old": ('OSIRIS_API = "0.9"\n', "incompatible", "was built for plugin API 0.9"),
    "nonsense": ('OSIRIS_API = "one"\n', "incompatible", "was built for plugin API one"),
    "chatty": (HOOK + "def osiris_components():\n    return []\nprint('hello')\n", "loaded", ""),
}


@pytest.fixture
def osiris(tmp_path: Path, site: Any) -> Any:
    """Real processes that see the site."""
    run = Osiris(tmp_path)
    return lambda *arguments, **env: run(*arguments, env={**site.environment, **env})


def states(result: Any) -> dict[str, dict[str, Any]]:
    assert result.returncode == 0, result.stderr
    return {status["name"]: status for status in json.loads(result.stdout)}


def test_every_way_to_be_broken_is_shown_and_stops_nothing(site: Any, osiris: Any) -> None:
    for name, (source, _, _) in BROKEN.items():
        site.add(name, source)
    site.add_owner("good", "good.table")

    listed = osiris("components", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert rows["good.table"]["capabilities"] == {"discover": "full", "read": "full"}
    assert (rows["good.table"]["version"], rows["good.table"]["owners"]) == ("1.2.3", ["good"])
    assert "half.way" not in rows
    assert 'plugin "exits" is broken' in listed.stderr

    found = states(osiris("plugins", "list", "--json"))
    assert {name: found[name]["state"] for name in BROKEN} == {name: state for name, (_, state, _) in BROKEN.items()}
    for name, (_, _, words) in BROKEN.items():
        assert words in found[name]["error"], name
    assert found["good"]["components"] == ["good.table"]
    assert found["good"]["distribution"].startswith("dist-plugin_good")


def test_people_see_the_reasons_too(site: Any, osiris: Any) -> None:
    site.add("exits", "raise SystemExit('no')")
    shown = osiris("plugins", "list")
    assert shown.returncode == 0
    assert "exits (broken): import failed: SystemExit: no" in shown.stdout


def test_two_owners_of_a_component_are_named_when_it_is_used_and_listed_before(site: Any, osiris: Any) -> None:
    site.add_owner("one", "twice.table")
    site.add_owner("two", "twice.table")
    site.add_owner("good", "good.table")
    listed = osiris("components", "list", "--json")
    assert listed.returncode == 0
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert rows["twice.table"]["owners"] == ["one", "two"]
    assert rows["good.table"]["error"] is None

    used = osiris("components", "spec", "twice.table")
    assert used.returncode == 5
    assert '"one" and "two"' in used.stderr
    assert "OSI-P002" in used.stderr


def test_only_allowed_plugins_are_imported(site: Any, osiris: Any, tmp_path: Path) -> None:
    trace = tmp_path / "imported"
    site.add("sneaky", f"open({str(trace)!r}, 'w')\nOSIRIS_API = '1.0'\n")
    site.add_owner("good", "good.table")

    found = states(osiris("plugins", "list", "--json", OSIRIS_PLUGINS="good, absent"))
    assert found["good"]["state"] == found["core"]["state"] == "loaded"
    assert found["sneaky"]["state"] == "disabled"
    assert found["absent"]["state"] == "missing"
    assert not trace.exists()

    for arguments, env in ((["--no-plugins"], {}), ([], {"OSIRIS_PLUGINS": ""})):
        found = states(osiris("plugins", "list", "--json", *arguments, **env))
        assert {name for name, status in found.items() if status["state"] == "loaded"} == {"core"}
        assert not trace.exists()


def test_a_second_plugin_of_one_name_is_refused_whoever_came_first(site: Any, osiris: Any) -> None:
    site.add_owner("same", "first.table")
    site.add_owner("same", "second.table")
    result = osiris("plugins", "list", "--json")
    assert result.returncode == 0
    both = [status for status in json.loads(result.stdout) if status["name"] == "same"]
    assert sorted(status["state"] for status in both) == ["broken", "loaded"]
    assert any("is taken by dist-plugin_same" in status["error"] for status in both)


def test_a_plugin_called_core_cannot_take_cores_place(site: Any, osiris: Any) -> None:
    fake = site.add("core", "OSIRIS_API = '1.0'\n")
    result = osiris("plugins", "list", "--json")
    assert result.returncode == 0, result.stderr
    both = [status for status in json.loads(result.stdout) if status["name"] == "core"]
    assert {status["module"]: status["state"] for status in both} == {"osiris_core.builtin": "loaded", fake: "broken"}


@pytest.mark.parametrize(
    ("api", "accepted"),
    [(API_VERSION, True), ("1.99", False), ("2.0", False), ("0.1", False), ("1", False), ("1.0.0", False), ("", False)],
)
def test_the_same_major_and_a_minor_we_have_is_compatible(api: str, accepted: bool) -> None:
    assert compatible(api) is accepted


def test_hooks_run_in_the_order_of_plugin_names(site: Any) -> None:
    engine = 'from osiris_core import Engine\n@hookimpl\ndef osiris_engines():\n    return [Engine("{0}", "", "m:a")]\n'
    for name in ("bb", "aa", "cc"):
        site.add_owner(name, f"{name}.table", engine.format(name))
    plugins = Plugins.load(["aa", "bb", "cc"])
    assert [engine.name for engine in plugins.engines()] == ["aa", "bb", "cc", "local"]
    assert [item.owner for item in plugins.components()] == ["aa", "bb", "cc"]
