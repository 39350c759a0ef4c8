"""What must not cross a network for all to read: a password in the clear, and rows without a word about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from osiris_core import ConnectError, Connection

if TYPE_CHECKING:
    from osiris_core import StepContext

#: Modes that know who answers.
_VERIFIED = frozenset({"verify_ca", "verify_identity"})
#: Ways to log in that hand over the password itself; whoever answers chooses the way.
_CLEAR = ("mysql_clear_password", "dialog")
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class _Refusal:
    """Stands in PyMySQL's place for the ways in ``_CLEAR``."""

    def __init__(self, session: Any) -> None:
        del session

    def authenticate(self, packet: Any) -> NoReturn:
        """Raise ConnectError instead of an answer."""
        del packet
        raise ConnectError(
            "the server asks for the password in clear text, and nothing proves that it is the right server",
            code="OSI-C042",
            hint="set ssl_mode: verify_identity (or verify_ca) with ssl_ca, or use unix_socket",
        )


def auth_plugins(connection: Connection) -> dict[str, type[_Refusal]]:
    """PyMySQL's ``auth_plugin_map``: a password goes out in the clear only to a server that has proved itself."""
    if connection.fields.get("unix_socket") or connection.text("ssl_mode", "preferred") in _VERIFIED:
        return {}
    return dict.fromkeys(_CLEAR, _Refusal)


def on_this_machine(connection: Connection) -> bool:
    """Whether what is sent never reaches a network."""
    return bool(connection.fields.get("unix_socket")) or connection.text("host") in _THIS_MACHINE


def warn_unencrypted(connection: Connection, *, encrypted: bool, context: StepContext) -> None:
    """Warn (OSI-R127) when ``preferred`` went on without TLS over a network; ``disabled`` was asked for."""
    wanted = connection.text("ssl_mode", "preferred") == "preferred"
    if wanted and not encrypted and not on_this_machine(connection):
        host = connection.text("host")
        context.warn("OSI-R127", f"{host} offers no TLS: rows and the login cross the network in the clear")
