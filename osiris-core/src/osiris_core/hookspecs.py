"""All hooks of Osiris, in one file. Implement them in the module your entry point names:

    # pyproject.toml                       # osiris_example/plugin.py
    [project.entry-points.osiris]          from osiris_core import Component, hookimpl
    example = "osiris_example.plugin"      OSIRIS_API = "1.0"

                                           @hookimpl
                                           def osiris_components():
                                               return [Component("example.table", SPEC_PATH)]

Failure semantics: *isolated* hooks (components, engines, context, llm_providers, run_event) are reported and
the rest goes on; *failing* hooks (discover, check_connection, validate_step, compile_step, check_manifest)
fail the operation and name the plugin. A crashed validator is never skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog, Scope
    from osiris_core.component import Component
    from osiris_core.connections import Connection
    from osiris_core.context import ContextRequest, ContextSection
    from osiris_core.drivers import Finding, StepView
    from osiris_core.engine import Engine
    from osiris_core.llm_provider import LLMProvider
    from osiris_core.problems import Problem
    from osiris_core.spec import Spec

hookspec = pluggy.HookspecMarker("osiris")
hookimpl = pluggy.HookimplMarker("osiris")


@hookspec
def osiris_components() -> Iterable[Component]:
    """Components this plugin owns. Isolated; called once per process by ``osiris_core.registry``.

    Two plugins that own one component name are an error naming both. Added in API 1.0.

    Example::

        @hookimpl
        def osiris_components():
            return [Component("mysql.table", Path(__file__).parent / "components/mysql.table/spec.yaml")]
    """
    return ()


@hookspec(firstresult=True)
def osiris_discover(component: str, connection: Connection, scope: Scope) -> Catalog | None:
    """What exists behind ``connection``; the first result that is not None wins. Failing.

    Core's own implementation (``trylast``) calls the driver's ``discover``. Called by
    ``osiris_core.catalog``. Added in API 1.0.

    Example: a plugin that answers from a metadata service instead of the server::

        @hookimpl
        def osiris_discover(component, connection, scope):
            if component == "example.table":
                return fetch_catalog(connection.fields["service_url"], scope.tables)
    """


@hookspec(firstresult=True)
def osiris_check_connection(component: str, connection: Connection) -> list[Finding] | None:
    """Findings of ``osiris doctor`` for one connection, each with its mend. Failing.

    Core's own implementation (``trylast``) calls the driver's ``check``. Added in API 1.0.

    Example::

        @hookimpl
        def osiris_check_connection(component, connection):
            if component == "example.table" and not vpn_is_up():
                return [Finding("network", "failed", "the VPN is down", "start the VPN")]
    """


@hookspec
def osiris_validate_step(step: StepView, spec: Spec, catalog: Catalog | None) -> Iterable[Problem]:
    """Problems that JSON Schema cannot say; paths relative to the step. Failing.

    ``catalog`` is None when the catalogue is not looked at (no connection, mode ``off``, ``--offline``
    without cache). Core's own implementation calls the driver's ``validate_step``. Called by
    ``osiris_core.validate``. Added in API 1.0.

    Example::

        @hookimpl
        def osiris_validate_step(step, spec, catalog):
            if step.config.get("table", "").startswith("tmp_"):
                yield Problem("OSI-V090", "temporary tables are not copied here", ("config", "table"))
    """
    return ()


@hookspec
def osiris_context(catalog: Catalog, request: ContextRequest) -> Iterable[ContextSection]:
    """Hints for the brief that a model reads. Isolated. Called by ``osiris_core.context``. Added in API 1.0.

    Example::

        @hookimpl
        def osiris_context(catalog, request):
            if catalog.component == "example.table":
                yield ContextSection("example", "dates are in local time")
    """
    return ()


@hookspec
def osiris_compile_step(step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any] | None:
    """A changed config for the step, or None. Failing (exit 3). Implementations run in plugin-name order,

    each sees what the one before returned; the driver's own comes first. Called by
    ``osiris_core.compile``. Added in API 1.0.

    Example::

        @hookimpl
        def osiris_compile_step(step, spec, catalog):
            if step.mode == "read" and "limit" not in step.config:
                return {**step.config, "limit": 1_000_000}
    """


@hookspec
def osiris_llm_providers() -> Iterable[LLMProvider]:
    """Providers of structured output from a JSON Schema, by lazy target. Isolated. Added in API 1.0.

    Example::

        @hookimpl
        def osiris_llm_providers():
            return [LLMProvider("openai", "OpenAI", "osiris_llm.openai:OpenAIProvider", ("OPENAI_API_KEY",))]
    """
    return ()


@hookspec
def osiris_engines() -> Iterable[Engine]:
    """Engines that can run a manifest, by lazy target. Isolated; the local engine arrives here too.

    Added in API 1.0.

    Example::

        @hookimpl
        def osiris_engines():
            return [Engine("e2b", "E2B sandbox", "osiris_e2b.engine:E2BEngine")]
    """
    return ()


@hookspec
def osiris_run_event(event: Mapping[str, Any]) -> None:
    """Observe one event as it is written to ``events.jsonl`` (redacted). Isolated. Added in API 1.0.

    Called by ``osiris_core.run.events`` in the order of ``seq``.

    Example::

        @hookimpl
        def osiris_run_event(event):
            if event["event"] == "run_failed":
                page_somebody(event["run_id"])
    """


@hookspec
def osiris_check_manifest(manifest: Mapping[str, Any]) -> Iterable[Problem]:
    """Read-only policy checks over a compiled manifest; problems refuse the compile. Failing.

    Called by ``osiris_core.compile`` and before a run. Added in API 1.0.

    Example::

        @hookimpl
        def osiris_check_manifest(manifest):
            for step in manifest["steps"]:
                if step["connection"] == "@production" and step["mode"] == "write":
                    yield Problem("OSI-M090", "production is read-only", ("steps", step["id"]))
    """
    return ()
