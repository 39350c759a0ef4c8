"""What must not cross a network for all to read: a password, and rows without a word about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from osiris_core import ConnectError, Connection

if TYPE_CHECKING:
    from osiris_core import StepContext

#: Modes that know who answers.
VERIFIED = frozenset({"verify_ca", "verify_identity"})
#: Ways to log in that hand over the password itself; whoever answers chooses the way.
_CLEAR = ("mysql_clear_password", "dialog")
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
#: What ``caching_sha2_password`` says when it knows the account by the hash alone; anything else asks for more.
_KNOWN_BY_HASH = b"\x01\x03"


class _Refusal:
    """Stands in PyMySQL's place for ways to log in by which a server that nothing vouches for learns the password."""

    asks = "for the password in clear text"
    mend = "set ssl_mode: verify_identity (or verify_ca) with ssl_ca, or use unix_socket"

    def __init__(self, session: Any) -> None:
        self._session = session

    def authenticate(self, packet: Any) -> Any:
        """Raise ConnectError instead of an answer."""
        del packet
        self._refuse()

    def _refuse(self) -> NoReturn:
        place = f"{self._session.host}:{self._session.port}"
        message = f"{place} asks {self.asks}, and nothing proves that it is the right server"
        raise ConnectError(message, code="OSI-C042", hint=self.mend)


class _OldHash(_Refusal):
    """``mysql_old_password``: the password is found from the answer in no time."""

    asks = "for a login by the hash of MySQL 4.0, which hides nothing"


class _Sha256(_Refusal):
    """``sha256_password``: without TLS the password travels under a key that whoever answers has sent."""

    asks = "for the password under a key of its own, without TLS"
    mend = (
        "use TLS, best with ssl_mode: verify_identity and ssl_ca; "
        "where nobody can come between, allow_public_key_retrieval: true sends it all the same"
    )

    def authenticate(self, packet: Any) -> Any:
        """As PyMySQL does under TLS or without a password; else raise ConnectError."""
        from pymysql import _auth

        if self._session._secure or not self._session.password:
            return _auth.sha256_password_auth(self._session, packet)
        self._refuse()


class _CachingSha2(_Sha256):
    """``caching_sha2_password``: the same where the server does not have the account's hash in its cache yet."""

    def authenticate(self, packet: Any) -> Any:
        """As PyMySQL does; raise ConnectError when the hash is not enough and there is no TLS."""
        from pymysql import _auth

        session = self._session
        if session._secure or not session.password:
            return _auth.caching_sha2_password_auth(session, packet)
        if packet.is_auth_switch_request():
            session.salt = packet.read_all().removesuffix(b"\0")
            packet = _auth._roundtrip(session, _auth.scramble_caching_sha2(session.password, session.salt))
        if packet.get_all_data() == _KNOWN_BY_HASH:
            packet = session._read_packet()
            packet.check_error()
            return packet
        if packet.is_extra_auth_data():
            self._refuse()
        return packet


_WITHOUT_TLS = {"sha256_password": _Sha256, "caching_sha2_password": _CachingSha2}


def tls_mode(connection: Connection) -> str:
    """``ssl_mode``; beside ``ssl_ca`` its default is ``verify_ca``, as in MySQL's own clients."""
    trusts = connection.fields.get("ssl_ca") and not connection.fields.get("unix_socket")
    return connection.text("ssl_mode", "verify_ca" if trusts else "preferred")


def auth_plugins(connection: Connection) -> dict[str, type[_Refusal]]:
    """PyMySQL's ``auth_plugin_map``: a password goes out only to a server that has proved itself.

    There is one exception, without which few would get in: MySQL's own ways to log in ask for the password under TLS,
    whatever the certificate. On this machine, and where the connection allows it, they may do so without TLS too.
    """
    if connection.fields.get("unix_socket") or tls_mode(connection) in VERIFIED:
        return {}
    refused = {**dict.fromkeys(_CLEAR, _Refusal), "mysql_old_password": _OldHash}
    if on_this_machine(connection) or connection.fields.get("allow_public_key_retrieval"):
        return refused
    return refused | _WITHOUT_TLS


def on_this_machine(connection: Connection) -> bool:
    """Whether what is sent never reaches a network."""
    return bool(connection.fields.get("unix_socket")) or connection.text("host") in _THIS_MACHINE


def warn_unencrypted(connection: Connection, *, encrypted: bool, context: StepContext) -> None:
    """Warn (OSI-R127) when ``preferred`` went on without TLS over a network; ``disabled`` was asked for."""
    if tls_mode(connection) == "preferred" and not encrypted and not on_this_machine(connection):
        host = connection.text("host")
        context.warn("OSI-R127", f"{host} offers no TLS: rows and the login cross the network in the clear")
