"""The supabase client, held to what discovery has seen.

``client.table("rpc/wipe").insert()`` would call a function, ``table("../../auth/v1/admin/users")`` reach the Auth
API, ``select="*,secrets(*)"`` read another table: so a name goes out only when discovery has seen it and it is a
plain name.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from osiris_core import ConnectError, RunError
from osiris_supabase.limits import PARAMETERS
from osiris_supabase.settings import RestPlace

if TYPE_CHECKING:
    from supabase import Client

#: Characters with a meaning in PostgREST's query language or in a path.
_SPECIAL = re.compile(r"""[\x00-\x1f\x7f"'\\.,:()*!/?#%&+=<>{}\[\]]|->""")
_PUBLISHABLE, _SECRET = "sb_publishable_", "sb_secret_"


def client(place: RestPlace) -> Client:
    """A client that refreshes no token, keeps no session and retries nothing behind our back."""
    from httpx import Client as HttpClient
    from supabase import ClientOptions, create_client

    options = ClientOptions(
        schema=place.schema,
        auto_refresh_token=False,
        persist_session=False,
        postgrest_client_timeout=place.timeout,
        httpx_client=HttpClient(timeout=place.timeout),
    )
    options.postgrest_client_retry = False
    return create_client(place.url, place.key, options)


def close(opened: Client) -> None:
    """Close the client's connections. Never raises."""
    session: Any = opened.postgrest.session
    session.close()


def plain_name(name: str, what: str) -> str:
    """``name`` when it means nothing but itself to PostgREST. Raises RunError (OSI-R105) otherwise."""
    if not name or _SPECIAL.search(name) or name != name.strip():
        raise RunError(
            f"{what} {name!r} has characters that mean something in the REST API",
            code="OSI-R105",
            hint="use the SQL channel for it",
        )
    return name


def quoted(name: str) -> str:
    """A plain name for ``select``, ``order`` and ``on_conflict``."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name not in PARAMETERS else f'"{name}"'


def key_role(key: str) -> str:
    """The role a key acts as: ``service_role``, ``anon``, ``authenticated`` …; ``""`` when it does not say."""
    if key.startswith(_SECRET):
        return "service_role"
    if key.startswith(_PUBLISHABLE):
        return "anon"
    parts = key.split(".")
    if len(parts) != 3:
        return ""
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return ""
    return str(payload.get("role", "")) if isinstance(payload, dict) else ""


def refuse_anonymous(place: RestPlace) -> None:
    """Raise ConnectError (OSI-C049) for a key whose writes are refused, or do nothing, under row level security."""
    role = key_role(place.key)
    if role == "anon":
        raise ConnectError(
            "the key is a publishable (anon) key: its writes are refused, or do nothing, under row level security",
            code="OSI-C049",
            hint="use the secret key (sb_secret_… or service_role), from the project's API settings",
        )
