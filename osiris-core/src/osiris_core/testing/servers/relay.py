"""A relay before a server, for tests that alter what passes, or cut a connection at a moment of the protocol."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

#: Time for a server to do what it was told by somebody who no longer listens.
_UNHEARD_SECONDS = 0.3


class CutConnection(Exception):  # noqa: N818 - what happens, not an error
    """Raised by what watches a relay: who sent last is cut off, ``delivered`` still goes on, then all ends."""

    def __init__(self, delivered: bytes = b"") -> None:
        super().__init__()
        self.delivered = delivered


class Relay:
    """Connections to ``port`` on the loopback interface lead to ``host``:``target_port``.

    ``passing(data, from_server)`` gives what goes on in place of ``data``, or raises CutConnection. It is called from
    several threads.
    """

    def __init__(self, host: str, target_port: int, passing: Callable[[bytes, bool], bytes]) -> None:
        self._target = (host, target_port)
        self._passing = passing
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._relay, args=(source, sink, source is server), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, from_server: bool) -> None:
        with suppress(OSError):
            try:
                while data := source.recv(1 << 16):
                    sink.sendall(self._passing(data, from_server))
            except CutConnection as cut:
                source.shutdown(socket.SHUT_RDWR)
                if cut.delivered:
                    sink.sendall(cut.delivered)
                    time.sleep(_UNHEARD_SECONDS)
        for side in (source, sink):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()
