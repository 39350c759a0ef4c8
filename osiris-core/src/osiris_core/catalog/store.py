"""The catalog of a session: what exists behind each connection, asked as rarely as is safe.

An answer is used again only when all of these hold: its key is the same (component, spec, connection without
secrets, scope), it is younger than the project's ``catalog.ttl``, and the driver's one-query probe returns the
token it returned before the discovery. A driver without a probe is asked each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from osiris_core.catalog.cache import Entry, Question, read_entry, write_entry
from osiris_core.catalog.model import Catalog, Scope, Table
from osiris_core.connections import Connection
from osiris_core.errors import ConnectError, OsirisError

if TYPE_CHECKING:
    from osiris_core.connections import Connections
    from osiris_core.drivers import Driver
    from osiris_core.plugins import Plugins
    from osiris_core.project import Project
    from osiris_core.registry import Registry

_T = TypeVar("_T")


#: What may stand for a table without being listed: a pattern, a path, a name with its schema.
_NOT_PLAIN = re.compile(r"[*?\[\]./\\]")


@dataclass(frozen=True, slots=True)
class _Look:
    """One call of ``get``: at which connection, how changed, and whether it may or must be asked."""

    alias: str
    component: str
    overrides: Mapping[str, Any]
    refresh: bool
    offline: bool


class Catalogs:
    """Answers ``what exists behind @alias?`` from the cache when it is still true, from the system otherwise.

    Attributes:
        notes: what could not be checked or kept, one sentence each, for people (``--offline``, a full disk).
    """

    def __init__(
        self,
        *,
        project: Project,
        plugins: Plugins,
        registry: Registry,
        connections: Connections,
        refresh: bool = False,
        offline: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._root = project.state_dir / "catalog"
        self._ttl = project.catalog_ttl
        self._plugins = plugins
        self._registry = registry
        self._connections = connections
        self._refresh = refresh
        self._offline = offline
        self._now = now
        self._entries: dict[str, Entry] = {}
        self._seen: dict[str, Catalog] | None = None
        self.notes: list[str] = []

    @contextmanager
    def one_look(self) -> Iterator[None]:
        """Within the block each system is asked at most once, so that all steps of a pipeline see one state."""
        outer = self._seen
        self._seen = {} if outer is None else outer
        try:
            yield
        finally:
            self._seen = outer

    def get(
        self,
        alias: str | None,
        component: str,
        tables: Collection[str] = (),
        *,
        overrides: Mapping[str, Any] | None = None,
        refresh: bool | None = None,
        offline: bool | None = None,
    ) -> Catalog:
        """Everything ``component`` sees behind ``alias`` (None: a component without connection).

        The whole connection is discovered in one go, a constant number of queries, so that every name can be
        suggested and one entry serves every pipeline. Of ``tables``, those that are no plain names (a pattern of
        files, a qualified name) and are not listed are asked for by name as well.
        ``overrides`` are a step's allowed changes to the connection.

        Raises ConnectError when the system cannot be asked, or offline when nothing is cached; SecretError,
        PluginError and InvalidInputError as connections and registry do.
        """
        look = _Look(
            alias or "",
            component,
            dict(overrides or {}),
            self._refresh if refresh is None else refresh,
            self._offline if offline is None else offline,
        )
        catalog = self._answer(look, Scope())
        named = sorted({name for name in tables if _NOT_PLAIN.search(name) and catalog.table(name) is None})
        if not named:
            return catalog
        found = self._answer(look, Scope(tuple(named)))
        return replace(catalog, tables=_sorted((*catalog.tables, *found.tables)))

    def _answer(self, look: _Look, scope: Scope) -> Catalog:
        question = self._question(look, scope)
        seen = self._seen if self._seen is not None else {}
        if question.key not in seen:
            entry = self._entries.get(question.key) or read_entry(self._root, question)
            seen[question.key] = self._unchecked(question, entry) if look.offline else self._ask(look, question, entry)
        return seen[question.key]

    def _ask(self, look: _Look, question: Question, entry: Entry | None) -> Catalog:
        """The cached catalog if it is fresh and the probe confirms it, else a new one."""
        connection, scope = self._connection(look), Scope(tuple(question.parts["scope"]["tables"]))
        driver = self._registry.driver(look.component)
        # The token is older than the discovery: a change between the two is found by the next probe.
        token = _asked(driver, question, lambda: driver.probe(connection, scope))
        usable = entry is not None and not look.refresh and entry.fresh(self._now(), self._ttl)
        if entry is not None and usable and token and token == entry.catalog.probe:
            self._entries[question.key] = entry
            return entry.catalog
        found = _asked(driver, question, lambda: self._plugins.discover(look.component, connection, scope))
        return self._keep(question, replace(found, tables=_sorted(found.tables), probe=token))

    def _question(self, look: _Look, scope: Scope) -> Question:
        identity = {**self._connections.identity(look.alias), **look.overrides} if look.alias else look.overrides
        parts = {
            "component": look.component,
            "spec": self._registry.spec(look.component).fingerprint,
            "connection": identity,
            "scope": scope.to_json(),
        }
        return Question(look.alias, parts)

    def _connection(self, look: _Look) -> Connection:
        if not look.alias:
            return Connection("", self._registry.spec(look.component).family, look.overrides)
        changes = {look.alias: look.overrides} if look.overrides else {}
        return self._connections.resolve([look.alias], changes)[look.alias]

    def _unchecked(self, question: Question, entry: Entry | None) -> Catalog:
        if entry is None:
            raise ConnectError(
                f"nothing is cached for {question.name}, and --offline forbids to ask",
                code="OSI-C012",
                hint=f"run once without --offline, or: osiris discover {question.name}",
            )
        since = entry.discovered_at.isoformat(timespec="seconds")
        self._note(f"offline: what exists behind {question.name} was not checked since {since}")
        return entry.catalog

    def _keep(self, question: Question, catalog: Catalog) -> Catalog:
        entry = Entry(catalog, self._now())
        self._entries[question.key] = entry
        try:
            write_entry(self._root, question, entry)
        except OSError as error:
            self._note(f"the catalog of {question.name} could not be cached: {error.strerror or error}")
        return catalog

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _asked(driver: Driver, question: Question, call: Callable[[], _T]) -> _T:
    """``call()``, with the driver's, server's or SDK's own errors turned into ConnectError."""
    try:
        return call()
    except ConnectError:
        raise
    except Exception as error:
        # What a hook's implementation raised arrives wrapped in the error that names its plugin.
        own = error.__cause__ if isinstance(error, OsirisError) else error
        fault = driver.map_error(own) if own is not None else None
        if fault is None:
            raise
        raise ConnectError(
            f"{question.name}: {fault.message}", code=fault.code, hint=fault.hint, retryable=fault.retryable
        ) from error


def _sorted(tables: Iterable[Table]) -> tuple[Table, ...]:
    return tuple(sorted(tables, key=lambda table: table.name))
