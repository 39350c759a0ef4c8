"""A DOUBLE of PostgREST, for tests: its protocol over a real PostgreSQL, in a thread of this process.

It is not PostgREST. It runs PostgREST's own shape of SQL (``json_to_recordset``, ``json_agg``), switches roles as
PostgREST does (so row level security is the server's own), keeps a schema cache that only a NOTIFY renews, cuts
answers at ``max_rows`` in silence, and answers with the documented error bodies. What it does not implement it
refuses with 501 and remembers in ``unsupported``; the fixture fails the test then.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from postgrest_queries import QUERIES, ApiError, Insert, Select, Table, error_of, load_schema, openapi
from psycopg import sql

SECRET = b"a-secret-of-at-least-thirty-two-characters"
ROLES = ("anon", "authenticated", "service_role")
PREFIX = "/rest/v1"
#: Keys of the newer kind, which Supabase's gateway turns into tokens.
NEW_KEYS = {"sb_publishable_test": "anon", "sb_secret_test": "service_role"}


def jwt(role: str) -> str:
    """A key as Supabase makes them: a JSON Web Token that names a role, signed with HS256."""
    parts = [_b64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, {"role": role})]
    signature = hmac.new(SECRET, ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _b64(signature)])


def role_of(token: str) -> str:
    """The role a token names. Raises ApiError for one that is not signed by us."""
    if token in NEW_KEYS:
        return NEW_KEYS[token]
    head, _, signature = token.rpartition(".")
    wanted = _b64(hmac.new(SECRET, head.encode(), hashlib.sha256).digest())
    if not hmac.compare_digest(wanted, signature):
        raise ApiError(401, "PGRST301", "JWSError JWSInvalidSignature")
    payload = head.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["role"])


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Request:
    """One request as it came, for tests to look at."""

    method: str
    path: str
    query: list[tuple[str, str]]
    prefer: str
    rows: int = 0


@dataclass
class PostgrestDouble:
    """The double before one database.

    Attributes:
        connect: opens a connection of a superuser.
        max_rows: answers end here without a word.
        statement_timeout: for API roles, in milliseconds.
        on_request: called before a request is served; may raise ApiError to fail it.
        after_request: called after its transaction was committed, before the answer; may raise ApiError.
    """

    connect: Callable[[], psycopg.Connection[Any]]
    schema: str = "public"
    max_rows: int = 1000
    statement_timeout: int = 8000
    on_request: Callable[[Request], None] = lambda request: None
    after_request: Callable[[Request], None] = lambda request: None
    requests: list[Request] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)

    def __enter__(self) -> PostgrestDouble:
        self._make_roles()
        self.reload()
        double = self

        class Handler(_Handler):
            api = double

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self._listen, daemon=True),
        ]
        self._stopped = threading.Event()
        self._listener = self.connect()
        self._listener.execute("LISTEN pgrst")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def reload(self) -> None:
        """Read the schema cache again, as PostgREST does on ``NOTIFY pgrst``."""
        with self.connect() as connection:
            self.tables: dict[str, Table] = load_schema(connection, self.schema)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            for _ in self._listener.notifies(timeout=0.1, stop_after=1):
                self.reload()

    def _make_roles(self) -> None:
        with self.connect() as connection:
            for role in ROLES:
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
                    bypass = " BYPASSRLS" if role == "service_role" else ""
                    connection.execute(f"CREATE ROLE {role} NOLOGIN{bypass}")
                connection.execute(f"GRANT USAGE ON SCHEMA {self.schema} TO {role}")
            roles = ", ".join(ROLES)
            connection.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {self.schema} GRANT ALL ON TABLES TO {roles}")
            connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {self.schema} TO {roles}")

    def run(self, role: str, statement: sql.Composed) -> tuple[Any, ...]:
        """One row of one statement, in a transaction under ``role``."""
        with self.connect() as connection, connection.transaction():
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(self.statement_timeout),))
            row: tuple[Any, ...] | None = connection.execute(statement).fetchone()
            assert row is not None
            return row


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: PostgrestDouble

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        address = urlsplit(self.path)
        query = parse_qsl(address.query, keep_blank_values=True)
        request = Request(self.command, unquote(address.path), query, self.headers.get("Prefer", ""))
        self.api.requests.append(request)
        try:
            self.api.on_request(request)
            status, headers, answer = self._answer(request, body)
            self.api.after_request(request)
        except ApiError as error:
            status, headers, answer = error.status, {}, json.dumps(error.body())
        except psycopg.Error as error:
            failed = error_of(error)
            status, headers, answer = failed.status, {}, json.dumps(failed.body())
        if status == 501:
            self.api.unsupported.append(f"{self.command} {self.path}")
        self._write(status, headers, answer.encode())

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_PUT = _serve

    def _answer(self, request: Request, body: bytes) -> tuple[int, dict[str, str], str]:
        role = role_of(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if not request.path.startswith(PREFIX):
            raise ApiError(501, "DOUBLE", f"only {PREFIX} is doubled")
        name = request.path.removeprefix(PREFIX).strip("/")
        if not name and request.method == "GET":
            return 200, {"Content-Type": "application/openapi+json"}, json.dumps(openapi(self.api.tables))
        if "/" in name or request.method not in QUERIES:
            raise ApiError(501, "DOUBLE", f"{request.method} {request.path} is not doubled")
        if name not in self.api.tables:
            raise ApiError(404, "PGRST205", f"Could not find the table '{self.api.schema}.{name}' in the schema cache")
        table = self.api.tables[name]
        if request.method == "POST":
            return self._insert(role, Insert.parse(table, request.query, request.prefer, body), request)
        return self._select(role, Select.parse(table, request.query, request.prefer, self.api.max_rows))

    def _select(self, role: str, select: Select) -> tuple[int, dict[str, str], str]:
        total, page, body = self.api.run(role, select.statement())
        shown = f"0-{page - 1}" if page else "*"
        partial = select.counted and page < total
        return 206 if partial else 200, {"Content-Range": f"{shown}/{total if select.counted else '*'}"}, body

    def _insert(self, role: str, insert: Insert, request: Request) -> tuple[int, dict[str, str], str]:
        request.rows = insert.rows
        page, body = self.api.run(role, insert.statement())
        return 201, {"Content-Range": f"*/{page if insert.counted else '*'}"}, body if insert.returned else ""

    def _write(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on stderr."""
