"""What the facade promises of every hook: types, order, isolation, and errors that name the plugin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from osiris_core import (
    Catalog,
    CompileError,
    ConnectError,
    Connection,
    ContextRequest,
    ContextSection,
    InvalidInputError,
    LLMProvider,
    PluginError,
    Plugins,
    Registry,
    Scope,
    Session,
    Spec,
    StepView,
)

CONNECTION = Connection("shop", "good")


def step(**changes: Any) -> StepView:
    values = {
        "id": "s",
        "component": "good.table",
        "mode": "read",
        "connection": None,
        "needs": (),
        "config": {"n": [1]},
    }
    return StepView(**{**values, **changes})


def load(*names: str) -> tuple[Plugins, Registry]:
    plugins = Plugins.load(names)
    return plugins, Registry(plugins)


def spec(registry: Registry) -> Spec:
    return registry.spec("good.table")


HOOK = "from osiris_core import *\nOSIRIS_API = '1.0'\n@hookimpl\n"
DRIVER = """\
from osiris_core import Catalog, CommitResult, Driver, Finding, Problem, Table

class TheDriver(Driver):
    def discover(self, connection, scope):
        {discover}
    def check(self, connection):
        yield Finding("network", "ok", "answers")
        {check}
    def validate_step(self, step, spec, catalog):
        yield Problem("OSI-V090", "odd", ("config", "n"))
        {validate}
    def compile_step(self, step, spec, catalog):
        {compile}
"""


def driver(**bodies: str) -> str:
    defaults = {"discover": "return Catalog('good.table')", "check": "pass", "validate": "pass", "compile": "pass"}
    return DRIVER.format(**{**defaults, **bodies})


def test_the_drivers_answers_arrive_through_the_hooks(site: Any) -> None:
    site.add_owner("good", "good.table", driver(compile="return {**step.config, 'pinned': True}"))
    plugins, registry = load("good")
    assert plugins.discover("good.table", CONNECTION, Scope()) == Catalog("good.table")
    assert [finding.message for finding in plugins.check_connection("good.table", CONNECTION)] == ["answers"]
    assert [problem.message for problem in plugins.validate_step(step(), spec(registry), None)] == ["odd"]
    assert plugins.compile_step(step(), spec(registry), None) == {"n": [1], "pinned": True}


def test_a_plugin_may_answer_before_the_driver(site: Any) -> None:
    site.add_owner("good", "good.table", driver(discover="raise AssertionError('asked')"))
    site.add(
        "service",
        HOOK + "def osiris_discover(component, connection, scope):\n    return Catalog(component, probe='service')\n",
    )
    plugins, _ = load("good", "service")
    assert plugins.discover("good.table", CONNECTION, Scope()).probe == "service"


@pytest.mark.parametrize("fault", ["raise ValueError('boom')", "raise SystemExit(0)", "return 7"])
def test_a_failing_driver_is_an_error_that_names_its_plugin(site: Any, fault: str) -> None:
    site.add_owner("good", "good.table", driver(discover=fault, validate=fault, compile=fault, check=fault))
    plugins, registry = load("good")
    view = step()
    with pytest.raises(PluginError, match='plugin "good"'):
        plugins.discover("good.table", CONNECTION, Scope())
    with pytest.raises(CompileError, match='plugin "good"'):
        plugins.compile_step(view, spec(registry), None)
    if fault != "return 7":  # in a generator that is a normal end
        with pytest.raises(PluginError, match=r'plugin "good" failed in validate_step of good\.table'):
            plugins.validate_step(view, spec(registry), None)
        with pytest.raises(PluginError, match=r'plugin "good" failed in check of good\.table'):
            plugins.check_connection("good.table", CONNECTION)


def test_deliberate_errors_of_a_driver_pass_unchanged(site: Any) -> None:
    fault = "from osiris_core import ConnectError; raise ConnectError('down', code='OSI-C041')"
    site.add_owner("good", "good.table", driver(discover=fault))
    plugins, _ = load("good")
    with pytest.raises(ConnectError) as caught:
        plugins.discover("good.table", CONNECTION, Scope())
    assert (caught.value.message, caught.value.code) == ("down", "OSI-C041")


@pytest.mark.parametrize("fault", ["raise ValueError('boom')", "raise SystemExit(0)", "yield 'text'", "return 1"])
def test_a_crashed_validator_is_never_skipped(site: Any, fault: str) -> None:
    site.add_owner("good", "good.table", driver())
    site.add("policy", HOOK + f"def osiris_validate_step(step):\n    {fault}\n")
    plugins, registry = load("good", "policy")
    with pytest.raises(PluginError, match='plugin "policy"'):
        plugins.validate_step(step(), spec(registry), None)


def test_a_crashed_policy_refuses_the_manifest(site: Any) -> None:
    site.add("policy", HOOK + "def osiris_check_manifest(manifest):\n    yield manifest['nothing']\n")
    with pytest.raises(PluginError, match='plugin "policy" failed in osiris_check_manifest: KeyError'):
        Plugins.load(["policy"]).check_manifest({"steps": []})


def test_a_policy_cannot_change_the_manifest(site: Any) -> None:
    site.add("policy", HOOK + "def osiris_check_manifest(manifest):\n    manifest['steps'].append(1)\n    return ()\n")
    manifest = {"steps": []}
    assert Plugins.load(["policy"]).check_manifest(manifest) == []
    assert manifest == {"steps": []}


def test_compile_hooks_see_what_the_one_before_returned_the_driver_first(site: Any) -> None:
    site.add_owner("good", "good.table", driver(compile="return {'seen': ['driver']}"))
    add = HOOK + "def osiris_compile_step(step):\n    step.config['seen'].append('{0}')\n    return step.config\n"
    for name in ("zz", "aa"):
        site.add(name, add.format(name))
    plugins, registry = load("good", "zz", "aa")
    view = step()
    assert plugins.compile_step(view, spec(registry), None) == {"seen": ["driver", "aa", "zz"]}
    assert view.config == {"n": [1]}


def test_observers_are_isolated_and_get_copies(site: Any) -> None:
    site.add("bad", HOOK + "def osiris_run_event(event):\n    event.clear()\n    raise SystemExit(1)\n")
    trace = Path(site.directory, "seen")
    site.add("tracer", HOOK + f"def osiris_run_event(event):\n    open({str(trace)!r}, 'a').write(event['event'])\n")
    plugins = Plugins.load(["bad", "tracer"])
    event = {"event": "run_started"}
    plugins.run_event(event)
    plugins.run_event(event)
    assert event == {"event": "run_started"}
    assert trace.read_text() == "run_started" * 2
    states = {status.name: status for status in plugins.statuses()}
    assert (states["bad"].state, states["tracer"].state) == ("partial", "loaded")
    assert states["bad"].error == "osiris_run_event failed: SystemExit: 1"


def test_hints_and_providers_are_isolated(site: Any) -> None:
    site.add(
        "helpful",
        HOOK
        + "def osiris_context(catalog, request):\n    yield ContextSection(catalog.component, request.text)\n"
        + "@hookimpl\ndef osiris_llm_providers():\n    return [LLMProvider('mine', 'Mine', 'm:a', ('KEY',))]\n",
    )
    site.add(
        "useless",
        HOOK
        + "def osiris_context(catalog, request):\n    yield 'text'\n"
        + "@hookimpl\ndef osiris_llm_providers():\n    raise SystemExit(0)\n",
    )
    plugins = Plugins.load(["helpful", "useless"])
    request = ContextRequest("orders of today")
    assert plugins.context(Catalog("good.table"), request) == [ContextSection("good.table", "orders of today")]
    assert plugins.llm_providers() == [LLMProvider("mine", "Mine", "m:a", ("KEY",))]
    errors = {status.name: status.error for status in plugins.statuses()}
    assert errors["helpful"] == ""
    assert "osiris_context failed" in errors["useless"]
    assert "osiris_llm_providers failed: SystemExit: 0" in errors["useless"]


def test_an_engine_of_two_plugins_is_refused_when_used(site: Any) -> None:
    body = HOOK + 'def osiris_engines():\n    return [Engine("local", "mine", "m:a"), Engine("{0}", "", "m:a")]\n'
    site.add("rival", body.format("far"))
    plugins = Plugins.load(["rival"])
    assert plugins.engine("far").name == "far"
    with pytest.raises(PluginError, match='"local" is offered by more than one plugin: rival, core'):
        plugins.engine("local")
    with pytest.raises(InvalidInputError) as caught:
        plugins.engine("fare")
    assert caught.value.hint == 'did you mean "far"?'


def test_a_missing_driver_is_told_from_a_missing_dependency_of_it(site: Any) -> None:
    module = site.add_owner("good", "good.table", "class TheDriver: pass\n")
    _, registry = load("good")
    with pytest.raises(PluginError, match="is not a subclass"):
        registry.driver("good.table")

    specs = site.directory / f"{module}.spec.yaml"
    original = specs.read_text()
    site.directory.joinpath("needs_client.py").write_text("import some_client_library\n")
    for target, words in {
        "no_such_module:Driver": 'there is no module "no_such_module"',
        "needs_client:Driver": 'needs the module "some_client_library", which is not installed',
        f"{module}:Absent": "cannot be loaded: AttributeError",
    }.items():
        specs.write_text(original.replace(f"{module}:TheDriver", target))
        with pytest.raises(PluginError, match=words):
            load("good")[1].driver("good.table")


def test_a_driver_is_made_once_and_only_when_needed(site: Any) -> None:
    module = site.add_owner("good", "good.table")
    specs = site.directory / f"{module}.spec.yaml"
    specs.write_text(specs.read_text().replace(f"{module}:TheDriver", f"{module}_driver:TheDriver"))
    site.directory.joinpath(f"{module}_driver.py").write_text(driver())
    _, registry = load("good")
    assert registry.spec("good.table").version == "1.2.3"
    assert f"{module}_driver" not in sys.modules
    assert registry.driver("good.table") is registry.driver("good.table")
    assert f"{module}_driver" in sys.modules


def test_unknown_components_are_explained_by_near_names_and_by_broken_plugins(site: Any) -> None:
    site.add_owner("good", "good.table")
    site.add("ruined", "import nothing_like_it\n")
    _, registry = load("good", "ruined")
    with pytest.raises(InvalidInputError) as caught:
        registry.spec("good.tabel")
    assert caught.value.hint.startswith('did you mean "good.table"?; plugin "ruined" is broken')
    assert registry.get("nowhere.table") is None


def test_a_spec_must_be_of_the_component_that_is_registered(site: Any) -> None:
    module = site.add_owner("good", "good.table")
    specs = site.directory / f"{module}.spec.yaml"
    specs.write_text(specs.read_text().replace("name: good.table", "name: other.table"))
    _, registry = load("good")
    with pytest.raises(PluginError, match=r'registers "good\.table", but its spec says "other\.table"'):
        registry.spec("good.table")
    assert registry.specs() == {}


def test_an_embedding_program_can_register_hooks_of_its_own() -> None:
    from osiris_core import Engine, hookimpl

    class Mine:
        @hookimpl
        def osiris_engines(self) -> list[Engine]:
            return [Engine("mine", "", "m:a")]

    class Wrong:
        @hookimpl
        def osiris_engines(self, colour: str) -> list[Engine]:
            return []

    plugins = Plugins.load([])
    plugins.register("mine", Mine())
    assert plugins.engine("mine").name == "mine"
    with pytest.raises(PluginError, match="colour"):
        plugins.register("wrong", Wrong())


def test_a_broken_component_does_not_cost_its_family_the_connections(site: Any, tmp_path: Path) -> None:
    site.add_owner("good", "good.table")
    module = site.add_owner("intruder", "good.archive")
    site.directory.joinpath(f"{module}.spec.yaml").write_text("nonsense")
    (tmp_path / "osiris_connections.yaml").write_text("connections: {a: {component: good}}\n")
    whole = Session.open(tmp_path, plugins=["good", "intruder"])
    assert [problem.message for problem in whole.connections.problems] == [
        'connection "a": components of good take no connection'
    ]
    with pytest.raises(PluginError, match=r"good\.archive|its spec is not valid"):
        Session.open(tmp_path, plugins=["intruder"]).connections.resolve(["a"])
