"""A server process that cannot outlive the tests that started it."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

#: Reads from a pipe that closes when the process that started the server dies, however it dies; then the
#: server goes too, and its files with it. A line on the pipe says that the server was stopped in good order.
_WATCHDOG = 'read -r line || { kill -KILL "-$1"; sleep 1; rm -rf -- "$2"; }'

START_SECONDS = 60.0
STOP_SECONDS = 10.0


class ServerError(RuntimeError):
    """A test server is missing, did not start, or cannot do what was asked. The message says the mend."""


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def find_program(names: Sequence[str], folders: Sequence[Path], install: str) -> Path:
    """The first of ``names`` in the first directory of ``PATH`` or ``folders`` that has any of them.

    Raises ServerError, with the command that installs it, when there is none.
    """
    for folder in [*os.get_exec_path(), *map(str, folders)]:
        found = [path for name in names if (path := shutil.which(name, path=folder))]
        if found:
            return Path(found[0])
    raise ServerError(f"{' or '.join(names)} is not installed. Install it: {install}")


def unprivileged_user(*wanted: str) -> str | None:
    """Whom a server that refuses root should run as; None when this process is not root anyway."""
    if os.geteuid() != 0:
        return None
    for name in (*wanted, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise ServerError("as root, the server needs an unprivileged user to run as, and there is not even 'nobody'")


class ServerProcess:
    """One server's directory and process: started, stopped, killed and started again.

    ``command`` makes the argument list for a port; ``ready`` raises until the server answers on it.
    ``stop_signal`` asks for an orderly end, ``crash_signal`` for one that loses what was not committed.
    """

    def __init__(
        self,
        name: str,
        *,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        crash_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self._identity: dict[str, Any] = {}
        # The system's own temporary directory, not pytest's: that one is closed to other users, and a path
        # to a unix socket may have no more than 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix=f"osiris-{name}-"))
        self.log = self.directory / "server.log"
        self.port = 0
        self._stop_signal = stop_signal
        self._crash_signal = crash_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        if user is not None:
            account = pwd.getpwnam(user)
            self._identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.give(self.directory)
        atexit.register(self.close)

    @property
    def is_running(self) -> bool:
        """Whether the process has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def give(self, path: Path) -> None:
        """Make the server's user the owner of a file or directory."""
        if self._identity:
            os.chown(path, self._identity["user"], self._identity["group"])

    def run(self, *arguments: str | Path) -> None:
        """Run a set-up program as the server's user; raise ServerError with what it printed when it fails."""
        done = subprocess.run(
            list(map(str, arguments)),
            **self._identity,
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"{arguments[0]} failed:\n{done.stdout}{done.stderr}")

    def start(self, command: Callable[[int], list[str]], ready: Callable[[int], object], port: int = 0) -> None:
        """Start the server and wait until it is ready: on ``port``, or on a free one."""
        attempts = 1 if port else 3  # somebody else may take the free port first
        for attempt in range(1, attempts + 1):
            self.port = port or free_port()
            self._spawn(command(self.port))
            try:
                self._wait(ready)
                return
            except ServerError:
                self._end(signal.SIGKILL)
                if attempt == attempts:
                    raise

    def stop(self) -> None:
        """End the server in good order; by force after ten seconds."""
        self._end(self._stop_signal)

    def kill(self) -> None:
        """End the server as a crash would: clients are cut off, what was not committed is lost."""
        self._end(self._crash_signal)

    def close(self) -> None:
        """Stop the server and remove its directory. Safe to call twice."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        atexit.unregister(self.close)

    def _spawn(self, command: list[str]) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                **self._identity,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(self._process.pid), str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait(self, ready: Callable[[int], object]) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None:
                raise ServerError(f"{self.name} ended with {self._process.returncode} at start:\n{self._log_tail()}")
            try:
                ready(self.port)
                return
            except Exception as error:
                if time.monotonic() > deadline:
                    raise ServerError(f"{self.name} did not answer: {error}\n{self._log_tail()}") from error
            time.sleep(0.02)

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def _end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(sign)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            with contextlib.suppress(BrokenPipeError):
                watchdog.communicate(b"stopped\n")
