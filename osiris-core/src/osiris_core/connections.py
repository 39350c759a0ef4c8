"""Connections: aliases in ``osiris_connections.yaml``, resolved in memory at run time only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from osiris_core.connection_fields import (
    FamilySchema,
    as_type,
    has_reference,
    leaves,
    pointer_to,
    references,
    whole_reference,
    with_secrets,
    without,
)
from osiris_core.connection_file import (
    REFERENCE,
    VARIABLE,
    AliasEntry,
    ConnectionFile,
    MaskedSource,
    alias_at,
    read_connection_file,
)
from osiris_core.errors import ConfigurationError, SecretError
from osiris_core.problems import Path, Problem, did_you_mean
from osiris_core.secrets import Secret, SecretSource

if TYPE_CHECKING:
    from osiris_core.project import Project

_OWN_FIELD = "leave user, password and keys out of it: they have fields of their own"


@dataclass(frozen=True, slots=True)
class Connection:
    """One resolved connection.

    Attributes:
        alias: without the ``@``.
        family: the component family it belongs to, for example ``mysql``.
        fields: every field of the connection, defaults included; secret ones are ``Secret``. A step's
            allowed overrides are merged in before a driver sees it.
    """

    alias: str
    family: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Field ``name`` as a string; a secret is revealed, so hand the result straight to the client."""
        value = self.fields.get(name, default)
        return value.reveal() if isinstance(value, Secret) else str(value)

    def secrets(self) -> list[Secret]:
        """Every secret value of this connection, nested ones included."""
        return [value for _, value in leaves(self.fields) if isinstance(value, Secret)]


class Connections:
    """The aliases of a project. Loading one never reads a secret; ``resolve`` does."""

    def __init__(
        self,
        file: ConnectionFile,
        schema_of: Callable[[str], FamilySchema | None],
        families: Collection[str],
        source: SecretSource,
        where: str = "osiris_connections.yaml",
        root: FilePath | None = None,
    ) -> None:
        self._file = file
        self._schema_of = schema_of
        self._families = families
        self._source = source
        self._where = where
        self._root = root or FilePath()

    @classmethod
    def load(
        cls,
        project: Project,
        families: Collection[str],
        schema_of: Callable[[str], FamilySchema | None],
        source: SecretSource,
    ) -> Connections:
        """Read the project's connections file with its profile. What is wrong ends up in ``problems``."""
        file = read_connection_file(project.connections_file, project.profile, project.profiles)
        return cls(file, schema_of, families, source, str(project.connections_file), project.root)

    @property
    def source(self) -> MaskedSource | None:
        """The file for messages: its snippets show no value. None without a file."""
        return MaskedSource(self._file.document) if self._file.document is not None else None

    def aliases(self) -> list[str]:
        """Every alias, sorted."""
        return sorted(self._file.aliases)

    def family(self, alias: str) -> str:
        """The component family of ``alias``, or ``""`` when it names none. Raises ConfigurationError if unknown."""
        family = self._entry(alias).fields.get("component")
        return family if isinstance(family, str) else ""

    @cached_property
    def problems(self) -> list[Problem]:
        """Everything wrong with the file, with line and caret; no message holds a value of a field."""
        found = [problem for alias in self.aliases() for problem in self._alias_problems(self._entry(alias))]
        located = [*self._file.problems, *(self._file.located(problem) for problem in found)]
        return sorted(located, key=lambda problem: problem.span or ())

    def problems_of(self, aliases: Iterable[str]) -> list[Problem]:
        """The problems that concern these aliases: the file's own, and theirs."""
        wanted = {None, *aliases}
        return [problem for problem in self.problems if alias_at(problem.path) in wanted]

    def secret_names(self, aliases: Iterable[str]) -> list[str]:
        """Names of all environment variables that these aliases need, sorted."""
        return sorted({name for alias in aliases for name in references(self._entry(alias).fields)})

    def secret_references(self, alias: str) -> dict[str, str]:
        """JSON Pointer into the connection to the name of the variable, for every secret field that is set."""
        entry, schema = self._entry(alias), self._family_schema(alias)
        values = {pointer_to(path): value for path, value in leaves(entry.fields)}
        return {
            pointer: name
            for pointer in sorted(schema.secrets)
            if (name := whole_reference(values.get(pointer))) is not None
        }

    def identity(self, alias: str) -> dict[str, Any]:
        """The fields that say which system this is, secrets left out, variables and defaults filled in.

        Raises ConfigurationError for a faulty connection, SecretError for variables without a value.
        """
        self._refuse_problems([alias])
        schema = self._family_schema(alias)
        fields = without(self._entry(alias).fields, schema.secrets)
        self._refuse_missing(references(fields), [alias])
        return {**schema.defaults(), **self._filled(alias, fields, schema)}

    def resolve(
        self, aliases: Iterable[str], overrides: Mapping[str, Mapping[str, Any]] | None = None
    ) -> dict[str, Connection]:
        """Connections with every value filled in; ``overrides`` are a step's changes to the fields, by alias.

        Raises SecretError naming *all* missing variables of all aliases at once, ConfigurationError for an unknown
        or faulty connection or a forbidden override.
        """
        aliases = sorted(set(aliases))
        for alias in aliases:
            self._entry(alias)
        self._refuse_problems(aliases)
        self._refuse_missing(self.secret_names(aliases), aliases)
        return {alias: self._resolve(alias, (overrides or {}).get(alias, {})) for alias in aliases}

    def refuse_missing(self, aliases: Iterable[str]) -> None:
        """Raise SecretError naming all variables that these aliases need and that have no value."""
        aliases = sorted(set(aliases))
        self._refuse_missing(self.secret_names(aliases), aliases)

    # -- resolving -----------------------------------------------------------------------------------
    def _resolve(self, alias: str, overrides: Mapping[str, Any]) -> Connection:
        entry, schema = self._entry(alias), self._family_schema(alias)
        for name in overrides:
            if not schema.may_override(name):
                raise ConfigurationError(
                    f'a step may not change "{name}" of @{alias}', code="OSI-C007", hint="set it in the connection"
                )
        filled = {**self._filled(alias, entry.fields, schema), **overrides}
        _refuse_credentials(alias, filled, schema)
        problems = _check(schema.schema, {name: value for name, value in filled.items() if name != "component"})
        if problems:
            raise ConfigurationError(
                f"@{alias}: {problems[0].message}, once its variables are filled in",
                code=problems[0].code,
                problems=[self._file.located(_moved(problem, entry)) for problem in problems],
            )
        names = self.secret_references(alias)
        fields = {**schema.defaults(), **with_secrets(filled, names, schema.secrets)}
        fields.pop("component", None)
        for name, value in fields.items():
            # A driver is never told where the project is, except when it runs: paths reach it whole.
            if schema.property(name).get("x-role") == "path" and isinstance(value, str):
                fields[name] = str(self._root / value)
        return Connection(alias, self.family(alias), fields)

    def _filled(self, alias: str, fields: Mapping[str, Any], schema: FamilySchema) -> dict[str, Any]:
        """The fields with variables replaced by their values, as the types that the schema wants."""
        filled: dict[str, Any] = {}
        for name, value in fields.items():
            whole = whole_reference(value)
            text = self._substituted(value)
            if whole is None:
                filled[name] = text
                continue
            try:
                filled[name] = as_type(text, schema.property(name).get("type"))
            except ValueError as error:
                raise ConfigurationError(
                    f'@{alias}: the value of ${{{whole}}} for "{name}" {error}', code="OSI-C006"
                ) from None
        _refuse_credentials(alias, filled, schema)
        return filled

    def _substituted(self, value: Any) -> Any:
        if isinstance(value, str):
            return REFERENCE.sub(lambda match: self._source.get(match["name"]) or "" if match["name"] else "${", value)
        if isinstance(value, Mapping):
            return {key: self._substituted(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._substituted(item) for item in value]
        return value

    def _refuse_missing(self, names: Iterable[str], aliases: Collection[str]) -> None:
        missing = self._source.missing(names)
        if missing:
            users = [alias for alias in aliases if set(references(self._entry(alias).fields)) & set(missing)]
            plural = "variables are" if len(missing) > 1 else "variable is"
            raise SecretError(
                f"{len(missing)} environment {plural} not set: {', '.join(missing)} "
                f"(needed by {', '.join('@' + alias for alias in users)})",
                names=missing,
                hint="export them, or give --secrets-file FILE with NAME=value lines",
            )

    def _refuse_problems(self, aliases: Collection[str]) -> None:
        problems = self.problems_of(aliases)
        if problems:
            raise ConfigurationError(
                problems[0].message, code=problems[0].code, hint=problems[0].hint, problems=problems
            )

    def _entry(self, alias: str) -> AliasEntry:
        entry = self._file.aliases.get(alias)
        if entry is not None:
            return entry
        if self._file.problems:
            first = self._file.problems[0]
            raise ConfigurationError(first.message, code=first.code, hint=first.hint, problems=self._file.problems)
        where = self._where if self._file.document is not None else f"{self._where}, which does not exist"
        raise ConfigurationError(
            f'there is no connection "@{alias}" in {where}', code="OSI-C002", hint=did_you_mean(alias, self.aliases())
        )

    def _family_schema(self, alias: str) -> FamilySchema:
        schema = self._schema_of(self.family(alias))
        return schema or FamilySchema({}, frozenset())

    # -- problems ------------------------------------------------------------------------------------
    def _alias_problems(self, entry: AliasEntry) -> Iterator[Problem]:
        family = entry.fields.get("component")
        if not isinstance(family, str):
            message = f'connection "{entry.alias}" does not say its "component"'
            yield Problem("OSI-C005", message, entry.path, on_key=True, hint=did_you_mean("", self._families))
            return
        if family not in self._families:
            message = f'connection "{entry.alias}": there is no component family of this name'
            yield Problem("OSI-C011", message, entry.place(("component",)), hint=did_you_mean(family, self._families))
            return
        yield from _reference_problems(entry)
        schema = self._schema_of(family)
        if schema is None:
            message = f'connection "{entry.alias}": components of {family} take no connection'
            yield Problem("OSI-C011", message, entry.place(("component",)))
            return
        yield from self._field_problems(entry, schema)

    def _field_problems(self, entry: AliasEntry, schema: FamilySchema) -> Iterator[Problem]:
        fields = {name: value for name, value in entry.fields.items() if name != "component"}
        values = dict(leaves(fields))
        unresolved = {path for path, value in values.items() if has_reference(value)}
        for problem in _check(schema.schema, fields):
            if problem.path not in unresolved:  # what a variable holds is looked at when it is filled in
                yield _moved(problem, entry)
        for path, value in values.items():
            if pointer_to(path) in schema.secrets and value not in (None, "") and whole_reference(value) is None:
                message = f'"{path[-1]}" of "{entry.alias}" is a secret and must not stand in the file'
                hint = (
                    f"write ${{{entry.alias.upper().replace('-', '_')}_{str(path[-1]).upper()}}} and set that variable"
                )
                yield Problem("OSI-C008", message, entry.place(path), hint=hint)
        for path in _credentials(fields, schema):
            message = f'"{path[-1]}" of "{entry.alias}" holds credentials, and is not kept secret'
            yield Problem("OSI-C008", message, entry.place(path), hint=_OWN_FIELD)


def _credentials(fields: Mapping[str, Any], schema: FamilySchema) -> Iterator[Path]:
    """Where a field that is shown and stored, for the schema does not call it a secret, holds one all the same."""
    from osiris_core.oml.masking import holds_access

    for path, value in leaves(fields):
        pointers = (pointer_to(path[:depth]) for depth in range(1, len(path) + 1))
        if isinstance(value, str) and schema.secrets.isdisjoint(pointers) and holds_access(value):
            yield path


def _refuse_credentials(alias: str, filled: Mapping[str, Any], schema: FamilySchema) -> None:
    for path in _credentials(filled, schema):
        message = f'"{path[-1]}" of @{alias} holds credentials once its variables are filled in, and is not kept secret'
        raise ConfigurationError(message, code="OSI-C008", hint=_OWN_FIELD)


def _moved(problem: Problem, entry: AliasEntry) -> Problem:
    from dataclasses import replace

    on_alias = problem.on_key or not problem.path
    message = f'connection "{entry.alias}": {problem.message}'
    return replace(problem, path=entry.place(problem.path), on_key=on_alias, message=message)


def _check(schema: Mapping[str, Any], fields: Mapping[str, Any]) -> list[Problem]:
    from osiris_core.json_schema import Codes, SchemaChecker

    codes = Codes(unknown="OSI-C004", missing="OSI-C005", value="OSI-C006")
    return SchemaChecker(schema, codes, show_values=False).problems(dict(fields))


def _reference_problems(entry: AliasEntry) -> Iterator[Problem]:
    for path, value in leaves(entry.fields):
        for match in REFERENCE.finditer(value) if isinstance(value, str) else ():
            if match["name"] is not None and not VARIABLE.fullmatch(match["name"]):
                message = f'connection "{entry.alias}": a reference is ${{NAME}} with letters, digits and _'
                yield Problem("OSI-C009", message, entry.place(path), hint="write $${ for a literal ${")
