"""Osiris: describe components once, discover what exists, and run only what can be true.

What connectors need is listed in ``__all__``; the names are loaded on first use, so that ``import osiris_core`` costs
next to nothing. Beside it these packages are public, each by its own ``__all__``: ``osiris_core.data``, ``.sql`` and
``.testing`` for connectors; ``.oml``, ``.validate``, ``.compile``, ``.run`` and ``.context`` for programs that embed
Osiris. Everything else may change in any release.
"""

from __future__ import annotations

from osiris_core.lazy import lazily

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING, whose import would cost more than all of this
if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog, Column, ForeignKey, Scope, Table
    from osiris_core.cli.output import emit_json, print_note, print_text
    from osiris_core.cli.text import shown
    from osiris_core.component import Component
    from osiris_core.connections import Connection
    from osiris_core.context import ContextRequest, ContextSection
    from osiris_core.drivers import (
        BATCH_BYTES,
        ArrowBatch,
        ArrowStream,
        CommitResult,
        Driver,
        Fault,
        Finding,
        LedgerEntry,
        Partition,
        StepContext,
        StepView,
        Writer,
    )
    from osiris_core.engine import Engine, EngineRunner, RunEvent, RunRequest, RunResult
    from osiris_core.errors import (
        CancelledError,
        CompileError,
        ConfigurationError,
        ConnectError,
        DriftError,
        InvalidInputError,
        LedgerError,
        OsirisError,
        PluginError,
        ReconciliationError,
        RunError,
        SecretError,
    )
    from osiris_core.hookspecs import hookimpl
    from osiris_core.llm_provider import LLMProvider
    from osiris_core.naming import snake_case
    from osiris_core.plugins import Plugins
    from osiris_core.problems import Fix, Problem, Span, closest, did_you_mean
    from osiris_core.registry import Registry
    from osiris_core.secrets import Redactor, Secret, first_line
    from osiris_core.session import Session
    from osiris_core.spec import Spec

__version__ = "0.1.0"
#: Version of the plugin API. A plugin states the one it was built for (``OSIRIS_API = "1.0"``);
#: the same major and an equal or lower minor are accepted.
API_VERSION = "1.0"

_HOMES = {
    "catalog.model": ("Catalog", "Column", "ForeignKey", "Scope", "Table"),
    "cli.output": ("emit_json", "print_note", "print_text"),
    "cli.text": ("shown",),
    "component": ("Component",),
    "connections": ("Connection",),
    "context": ("ContextRequest", "ContextSection"),
    "drivers": (
        "BATCH_BYTES",
        "ArrowBatch",
        "ArrowStream",
        "CommitResult",
        "Driver",
        "Fault",
        "Finding",
        "LedgerEntry",
        "Partition",
        "StepContext",
        "StepView",
        "Writer",
    ),
    "engine": ("Engine", "EngineRunner", "RunEvent", "RunRequest", "RunResult"),
    "errors": (
        "CancelledError",
        "CompileError",
        "ConfigurationError",
        "ConnectError",
        "DriftError",
        "InvalidInputError",
        "LedgerError",
        "OsirisError",
        "PluginError",
        "ReconciliationError",
        "RunError",
        "SecretError",
    ),
    "hookspecs": ("hookimpl",),
    "llm_provider": ("LLMProvider",),
    "naming": ("snake_case",),
    "plugins": ("Plugins",),
    "problems": ("Fix", "Problem", "Span", "closest", "did_you_mean"),
    "registry": ("Registry",),
    "secrets": ("Redactor", "Secret", "first_line"),
    "session": ("Session",),
    "spec": ("Spec",),
}

__all__ = [
    "API_VERSION",
    "BATCH_BYTES",
    "ArrowBatch",
    "ArrowStream",
    "CancelledError",
    "Catalog",
    "Column",
    "CommitResult",
    "CompileError",
    "Component",
    "ConfigurationError",
    "ConnectError",
    "Connection",
    "ContextRequest",
    "ContextSection",
    "DriftError",
    "Driver",
    "Engine",
    "EngineRunner",
    "Fault",
    "Finding",
    "Fix",
    "ForeignKey",
    "InvalidInputError",
    "LLMProvider",
    "LedgerEntry",
    "LedgerError",
    "OsirisError",
    "Partition",
    "PluginError",
    "Plugins",
    "Problem",
    "ReconciliationError",
    "Redactor",
    "Registry",
    "RunError",
    "RunEvent",
    "RunRequest",
    "RunResult",
    "Scope",
    "Secret",
    "SecretError",
    "Session",
    "Span",
    "Spec",
    "StepContext",
    "StepView",
    "Table",
    "Writer",
    "__version__",
    "closest",
    "did_you_mean",
    "emit_json",
    "first_line",
    "hookimpl",
    "print_note",
    "print_text",
    "shown",
    "snake_case",
]


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
