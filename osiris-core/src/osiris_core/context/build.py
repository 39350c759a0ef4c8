"""Build the view of what exists from the registry and the catalogs of a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from osiris_core.canonical import fingerprint
from osiris_core.component import WRITE_MODES
from osiris_core.context.model import ContextRequest, Source, View
from osiris_core.errors import ConfigurationError

if TYPE_CHECKING:
    from osiris_core.session import Session
    from osiris_core.spec import Spec


def build_view(session: Session, aliases: Sequence[str] = (), request: ContextRequest | None = None) -> View:
    """Everything a model may name: the chosen connections (all of them when none is chosen).

    Catalogs come from the cache when the driver's probe says they are still true, so an altered table is in
    the next view without any flag. Raises ConfigurationError and ConnectError.
    """
    request = request or ContextRequest()
    chosen = list(aliases) or session.connections.aliases()
    if not chosen:
        raise ConfigurationError(
            "the project has no connection yet", hint="add one to osiris_connections.yaml; osiris init shows how"
        )
    sources = tuple(source for alias in sorted(chosen) if (source := _source(session, alias)) is not None)
    hints = [hint for source in sources for hint in session.plugins.context(source.catalog, request)]
    return View(sources, tuple(dict.fromkeys(hints)), _transform(session))


def view_fingerprint(session: Session, view: View) -> str:
    """SHA-256 over what the brief and the closed schema are made of: specs, catalogs, hints."""
    return fingerprint(
        {
            "specs": {source.component: session.registry.spec(source.component).fingerprint for source in view.sources},
            "catalogs": {source.alias: source.catalog.fingerprint for source in view.sources},
            "hints": [[hint.title, hint.text] for hint in view.hints],
            "transform": view.transform or "",
        }
    )


def _source(session: Session, alias: str) -> Source | None:
    """The alias with the component of its family that moves tables, or None when none can be discovered."""
    family = session.connections.family(alias)
    for name in session.registry.families().get(family, []):
        spec = session.registry.spec(name)
        if spec.connection_schema is not None and spec.support("discover") == "full":
            return _described(alias, spec, session)
    session.connections.identity(alias)  # raises when the connection itself is what is wrong
    return None


def _described(alias: str, spec: Spec, session: Session) -> Source:
    write_properties = spec.config_schema.get("write", {}).get("properties", {})
    return Source(
        alias=alias,
        component=spec.name,
        catalog=session.catalogs.get(alias, spec.name),
        readable=spec.support("read") == "full",
        write_modes=tuple(mode for mode in WRITE_MODES if spec.support(f"write.{mode}") == "full"),
        creates="create" in write_properties,
        incremental=spec.support("read.incremental") == "full",
        guidance=str(spec.context.get("guidance", "")),
    )


def _transform(session: Session) -> str | None:
    names = session.registry.names()
    return next((name for name in names if session.registry.spec(name).support("transform") == "full"), None)
