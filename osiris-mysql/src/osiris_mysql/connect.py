"""Opening connections: PyMySQL connects, authenticates and encrypts; the session is made predictable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core import ConnectError, Connection
from osiris_mysql.clear_text import auth_plugins, tls_mode, warn_unencrypted
from osiris_mysql.faults import connecting

if TYPE_CHECKING:
    import ssl

    import pymysql

    from osiris_core import StepContext

#: Seconds; the server gives up on a slow consumer after net_write_timeout (60 by default).
PATIENCE = 86_400
#: SQL modes that change what a statement means or what a value looks like.
_UNWANTED_MODES = frozenset(
    {"ANSI", "ANSI_QUOTES", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL", "NO_BACKSLASH_ESCAPES"}
    | {"PAD_CHAR_TO_FULL_LENGTH", "HIGH_NOT_PRECEDENCE", "IGNORE_SPACE", "PIPES_AS_CONCAT", "EMPTY_STRING_IS_NULL"}
)
#: Writers: nothing is adjusted in silence, and 0 is a value like any other, in auto_increment columns too.
_WRITE_MODES = (
    "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ZERO_DATE,NO_ZERO_IN_DATE"
)
#: The limits would cut results in silence; safe updates would refuse what a merge does; the isolation is what
#: a consistent snapshot takes.
_SETTINGS = (
    "SET time_zone = '+00:00', sql_mode = %(modes)s, net_write_timeout = %(patience)s, "
    "net_read_timeout = %(patience)s, wait_timeout = %(patience)s, sql_select_limit = 18446744073709551615, "
    "group_concat_max_len = 1073741824, sql_safe_updates = 0, sql_auto_is_null = 0"
)
_ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
#: What PyMySQL raises when TLS is wanted and the server has none.
_NO_TLS = 2026
_TLS_FILES = ("ssl_ca", "ssl_cert", "ssl_key")
#: MySQL casts to DOUBLE since 8.0.17.
_OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0, 17)}


def open_session(
    connection: Connection, *, writing: bool = False, context: StepContext | None = None
) -> pymysql.Connection[Any]:
    """A connection whose session means the same on every server, in autocommit mode.

    Times are UTC, text is utf8mb4, the server waits for a slow consumer. ``context`` is warned when nothing is
    encrypted. Raises ConnectError.
    """
    with connecting(describe(connection)):
        session = connect(connection, writing=writing)
        if context is not None:
            warn_unencrypted(connection, encrypted=session._secure, context=context)
        refuse_old(session)
        with session.cursor() as cursor:
            cursor.execute("SELECT @@SESSION.sql_mode")
            modes = _WRITE_MODES if writing else _harmless(cursor.fetchone()[0])
            cursor.execute(_SETTINGS, {"modes": modes, "patience": PATIENCE})
            cursor.execute(_ISOLATION)
    return session


def connect(connection: Connection, *, writing: bool = False) -> pymysql.Connection[Any]:
    """A connection as ``ssl_mode`` wants it; ``preferred`` goes on without TLS only where the server has none.

    A writer's may send rows to LOAD DATA LOCAL (``loading``); ``local_infile`` stays off, so that PyMySQL refuses
    every request for a file that a server makes.
    """
    import pymysql
    from pymysql.constants import CLIENT

    given = arguments(connection)
    if writing:  # a merge is one statement and may take hours
        given |= {"client_flag": CLIENT.LOCAL_FILES, "read_timeout": PATIENCE, "write_timeout": PATIENCE}
    try:
        return pymysql.connect(**given)
    except pymysql.err.OperationalError as error:
        if error.args[0] != _NO_TLS or tls_mode(connection) != "preferred":
            raise
    return pymysql.connect(**given, ssl_disabled=True)


def arguments(connection: Connection) -> dict[str, Any]:
    """PyMySQL's keyword arguments for a connection; holds the password, so never print it."""
    fields = connection.fields
    given = {
        "user": connection.text("user"),
        # PyMySQL would encode text as latin-1; servers compare the UTF-8 bytes.
        "password": connection.text("password").encode(),
        "database": connection.text("database") or None,
        "charset": "utf8mb4",
        "connect_timeout": int(fields.get("connect_timeout", 10)),
        "read_timeout": int(fields.get("read_timeout", 600)),
        "write_timeout": int(fields.get("read_timeout", 600)),
        "autocommit": True,
        "program_name": "osiris",
        "auth_plugin_map": auth_plugins(connection),
    }
    if fields.get("unix_socket"):
        given["unix_socket"] = connection.text("unix_socket")
    else:
        given["host"] = connection.text("host")
        given["port"] = int(fields.get("port", 3306))
    return given | _tls(connection)


def _tls(connection: Connection) -> dict[str, Any]:
    """PyMySQL's arguments for ``ssl_mode``."""
    mode = tls_mode(connection)
    if mode == "disabled" or (mode == "preferred" and connection.fields.get("unix_socket")):
        return {"ssl_disabled": True}
    try:
        return {"ssl": _context(connection, mode)}
    except OSError as error:
        files = ", ".join(f"{name}: {connection.text(name)}" for name in _TLS_FILES if connection.fields.get(name))
        raise ConnectError(
            f"{describe(connection)}: a TLS file cannot be used ({files}): {error}",
            code="OSI-C042",
            hint="check the paths; the files hold PEM, and the key is not encrypted",
        ) from error


def _context(connection: Connection, mode: str) -> ssl.SSLContext:
    """A TLS context. Only modes that verify read certificate authorities, which takes tens of milliseconds."""
    import ssl

    if mode in ("verify_ca", "verify_identity"):
        context = ssl.create_default_context(cafile=connection.text("ssl_ca") or None)
        # Certificates that MySQL makes for itself lack what Python 3.13's strict mode wants.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = mode == "verify_identity"
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if connection.fields.get("ssl_cert"):
        context.load_cert_chain(connection.text("ssl_cert"), connection.text("ssl_key") or None)
    return context


def describe(connection: Connection) -> str:
    """``@alias (user@host:port/database)``, for messages; no secret."""
    fields = connection.fields
    place = fields.get("unix_socket") or f"{fields.get('host')}:{fields.get('port', 3306)}"
    return f"@{connection.alias} ({fields.get('user')}@{place}/{fields.get('database')})"


def product(session: pymysql.Connection[Any]) -> tuple[str, tuple[int, ...]]:
    """``("MariaDB", (10, 11, 19))`` or ``("MySQL", (8, 4, 2))``."""
    text = str(session.server_version)
    name = "MariaDB" if "MariaDB" in text else "MySQL"
    if name == "MariaDB":
        text = text.removeprefix("5.5.5-")  # how MariaDB 10 greets clients of MySQL's replication
    numbers = text.split("-", 1)[0].split(".")
    return name, tuple(int(number) for number in numbers if number.isdigit())


def is_mariadb(session: pymysql.Connection[Any]) -> bool:
    """Whether the server is MariaDB, whose JSON, checks and collations differ from MySQL's."""
    return product(session)[0] == "MariaDB"


def refuse_old(session: pymysql.Connection[Any]) -> None:
    """Raise ConnectError (OSI-C045) for a server older than those Osiris is tested with."""
    name, version = product(session)
    if version < _OLDEST[name]:
        oldest = ".".join(map(str, _OLDEST[name]))
        session.close()
        raise ConnectError(
            f"{name} {'.'.join(map(str, version))} is too old",
            code="OSI-C045",
            hint=f"Osiris reads and writes {name} {oldest} and newer",
        )


def _harmless(modes: str) -> str:
    return ",".join(mode for mode in modes.split(",") if mode and mode not in _UNWANTED_MODES)
