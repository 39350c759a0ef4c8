"""PostgREST's and HTTP's errors in Osiris's terms; SQLSTATEs are those of ``osiris_postgres``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from osiris_core import ConnectError, Fault, first_line
from osiris_postgres.errors import SQLSTATES, Row

_OTHER_KEY = "use the secret key (sb_secret_… or service_role), from the project's API settings"
_STALE = "the API's schema cache may be old: NOTIFY pgrst, 'reload schema'"

#: By PostgREST code (https://docs.postgrest.org/en/stable/references/errors.html).
POSTGREST_CODES: dict[str, Row] = {
    **dict.fromkeys(
        ("PGRST000", "PGRST001", "PGRST002"),
        Row("OSI-C041", "the API cannot reach its database: {text}", "try again in a moment", True, "connection"),
    ),
    "PGRST003": Row("OSI-C047", "the API's connections are all in use: {text}", "try again later", True, "connection"),
    "PGRST106": Row("OSI-C046", "{text}", "the schema must be one that the API exposes", kind="connection"),
    **dict.fromkeys(("PGRST202", "PGRST204", "PGRST205"), Row("OSI-R002", "{text}", _STALE, kind="drift")),
    "PGRST200": Row("OSI-R002", "{text}", _STALE, kind="drift"),
    **dict.fromkeys(
        ("PGRST300", "PGRST301", "PGRST302", "PGRST303"),
        Row("OSI-C043", "the API refuses the key: {text}", _OTHER_KEY, kind="connection"),
    ),
    "PGRST102": Row("OSI-R102", "the API cannot read the rows: {text}", kind="data"),
}
#: By HTTP status, when there is no code.
STATUSES: dict[str, Row] = {
    "401": Row("OSI-C043", "the API refuses the key: {text}", _OTHER_KEY, kind="connection"),
    "403": Row("OSI-C044", "the key may not do this: {text}", _OTHER_KEY, kind="connection"),
    "404": Row("OSI-R002", "the API does not know this: {text}", _STALE, kind="drift"),
    "413": Row("OSI-R025", "a row is larger than the API accepts: {text}", "use the SQL channel"),
    "429": Row("OSI-C047", "the API asks for fewer requests: {text}", "try again later", True, "connection"),
    **dict.fromkeys(
        ("500", "502", "503", "504", "520", "521", "522", "523", "524"),
        Row("OSI-R020", "the API failed: {text}", "try again", True),
    ),
}


def map_error(error: BaseException) -> Fault | None:
    """An error of the supabase client or of HTTP as a Fault; None when it is somebody else's."""
    import httpx
    from postgrest.exceptions import APIError

    if isinstance(error, APIError):
        return _api_fault(error)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol | httpx.InvalidURL):
        return Fault("OSI-C041", f"the API cannot be reached: {_words(error)}", "check url", True, "connection")
    if isinstance(error, httpx.LocalProtocolError):
        # Its text quotes the header that cannot be sent, and the header may be the key.
        return Fault("OSI-R020", "a request to the API cannot be sent as HTTP", "check the connection's url and key")
    if isinstance(error, httpx.TimeoutException):
        return Fault("OSI-R020", "the API did not answer in time", "raise the connection's request_timeout", True)
    if isinstance(error, httpx.HTTPError):
        return Fault("OSI-R020", f"the connection to the API broke: {_words(error)}", "run again", True)
    return None


def _api_fault(error: Any) -> Fault:
    code, text = str(error.code or ""), first_line(str(error.message or "no message"))
    row = POSTGREST_CODES.get(code) or STATUSES.get(code) or SQLSTATES.get(code)
    if row is None and len(code) == 5:
        row = SQLSTATES.get(code[:2])
    if row is None:
        return Fault("OSI-R001", f"the API says ({code}): {text}")
    if code in ("23503", "23505") and error.details:
        text = f"{text} ({first_line(str(error.details))})"
    return Fault(row.code, row.message.format(text=text, at=""), row.hint, row.retryable, row.kind)


def is_passing(error: BaseException) -> bool:
    """Whether the API refused before it did anything, so that the same request may be sent again."""
    return str(getattr(error, "code", "")) in ("PGRST000", "PGRST001", "PGRST002", "PGRST003", "429")


def is_stale(error: BaseException) -> bool:
    """Whether the API's schema cache may lag behind DDL."""
    return str(getattr(error, "code", "")) in ("PGRST204", "PGRST205")


def is_too_much(error: BaseException) -> bool:
    """Whether a smaller request may succeed: a statement timeout, or a body too large."""
    return str(getattr(error, "code", "")) in ("57014", "413")


@contextmanager
def raise_for(what: str) -> Iterator[None]:
    """Raise ConnectError for what goes wrong before rows move."""
    import httpx
    from postgrest.exceptions import APIError

    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, APIError) as error:
        fault = map_error(error)
        assert fault is not None
        raise ConnectError(
            f"{what}: {fault.message}", code=fault.code, hint=fault.hint, retryable=fault.retryable
        ) from error


def _words(error: Exception) -> str:
    return first_line(str(error)) or type(error).__name__
