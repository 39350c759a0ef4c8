"""What a ``supabase`` connection says: its channel, and where each channel leads."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from osiris_core import ConfigurationError, Connection, Secret

if TYPE_CHECKING:
    from osiris_postgres.connect import Place

#: PostgREST reads its schema cache again, so that a table just made is seen by the API at once.
RELOAD_SCHEMA = "NOTIFY pgrst, 'reload schema'"
#: What an HTTP header can carry of a key. The client's error about anything else quotes the whole key.
_SENDABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class RestPlace:
    """Where the REST channel leads. ``key`` is a secret: it goes to the client and nowhere else."""

    url: str
    key: str
    schema: str
    timeout: int

    def __repr__(self) -> str:
        return f"RestPlace({self.url})"


def channel_of(connection: Connection) -> str:
    """``sql`` or ``rest``: as the connection (or the step) says, else ``sql`` when there is a password."""
    asked = connection.text("channel")
    has_sql = bool(connection.text("password") and (connection.text("host") or connection.text("project_ref")))
    has_rest = bool(connection.text("url") and connection.text("key"))
    chosen = asked or ("sql" if has_sql else "rest")
    if not (has_sql if chosen == "sql" else has_rest):
        needed = "password with host or project_ref" if chosen == "sql" else "url and key"
        raise ConfigurationError(
            f"@{connection.alias} lacks what the channel {chosen} needs", code="OSI-C005", hint=f"give {needed}"
        )
    return chosen


def sql_place(connection: Connection) -> Place:
    """The project's database, as ``postgres.table`` sees a place."""
    from osiris_postgres.connect import place_of

    defaults = {"database": "postgres", "user": "postgres", "sslmode": "require", "ledger_schema": "osiris"}
    fields = {**defaults, **connection.fields}
    if not connection.text("host"):
        fields["host"] = f"db.{connection.text('project_ref')}.supabase.co"
    place = place_of(Connection(connection.alias, connection.family, fields))
    return replace(place, hide_ledger=True, after_ddl=RELOAD_SCHEMA)


def rest_place(connection: Connection) -> RestPlace:
    """The project's API. Raises ConfigurationError for a key that no HTTP header can carry."""
    _refuse_unsendable(connection)
    return RestPlace(
        url=connection.text("url").rstrip("/"),
        key=connection.text("key"),
        schema=connection.text("schema", "public"),
        timeout=int(connection.text("request_timeout", "60")),
    )


def _refuse_unsendable(connection: Connection) -> None:
    if _SENDABLE.fullmatch(connection.text("key")):
        return
    key = connection.fields.get("key")
    name = key.name if isinstance(key, Secret) else ""
    raise ConfigurationError(
        f"the key of @{connection.alias} has a blank, a line break or another character that no API key has",
        code="OSI-C006",
        hint=f"set {name} again, to the key alone" if name else "set the key again, to the key alone",
    )
