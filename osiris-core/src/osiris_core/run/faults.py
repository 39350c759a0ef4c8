"""The one mapper from what a driver raises to an error of ours, with its exit code and whether to try again."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from osiris_core.errors import ConnectError, DriftError, OsirisError, RunError
from osiris_core.secrets import first_line

if TYPE_CHECKING:
    from osiris_core.drivers import Driver, Fault
    from osiris_core.secrets import Redactor


class StepFault(Exception):  # noqa: N818 - a carrier that never leaves this package
    """Something raised inside a driver's code, on behalf of one step."""

    def __init__(self, step: str, driver: Driver, cause: BaseException) -> None:
        super().__init__(f"{step}: {type(cause).__name__}")
        self.step = step
        self.driver = driver
        self.cause = cause


@contextmanager
def driver_call(step: str, driver: Driver) -> Iterator[None]:
    """Run a call into ``driver``; whatever it raises comes out as a StepFault of ``step``.

    Client libraries written in Rust raise BaseException (pyo3's PanicException), so that is caught too.
    """
    try:
        yield
    except (StepFault, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise StepFault(step, driver, error) from error


@contextmanager
def cleaning_up(warn: Callable[[str, str], None]) -> Iterator[None]:
    """Abort or close something: what that raises is a warning, and never hides the error that led to it."""
    try:
        yield
    except Exception as error:
        warn("OSI-R005", f"{type(error).__name__} while cleaning up: {first_line(str(error))}")


def explain(fault: StepFault, redactor: Redactor, *, moved: bool) -> OsirisError:
    """The error to report for ``fault``.

    Args:
        fault: what happened.
        redactor: masks secret values in messages that are not ours.
        moved: whether the step had moved rows; a lost connection is then a failed run (4), else a
            connection to mend (5).
    """
    cause = fault.cause
    if isinstance(cause, OsirisError):
        return _after_rows(cause) if moved and isinstance(cause, ConnectError) else cause
    known = _map(fault.driver, cause, moved=moved)
    if known is not None:
        return _from_fault(known, redactor, moved=moved)
    return RunError(
        f"{type(cause).__name__}: {first_line(redactor.text(str(cause)))}",
        hint="the driver does not know this error; the text after the colon is the client library's own",
    )


def to_json(error: OsirisError) -> dict[str, Any]:
    """The error as events and results carry it."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "retryable": error.retryable,
        "exit_code": error.exit_code,
    }


def _map(driver: Driver, cause: BaseException, *, moved: bool) -> Fault | None:
    """What the driver says about ``cause`` or what caused that; then what Python itself says."""
    seen: BaseException | None = cause
    while seen is not None:
        try:
            known = driver.map_error(seen)
        except Exception:  # a broken mapper must not hide the error it was asked about
            known = None
        known = known or _builtin(seen, moved=moved)
        if known is not None:
            return known
        seen = seen.__cause__ or seen.__context__
    return None


def _builtin(error: BaseException, *, moved: bool) -> Fault | None:
    from osiris_core.drivers import Fault

    text = first_line(str(error)) or type(error).__name__
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Fault("OSI-R010", f"the disk is full: {text}", "free some space and run again")
    if isinstance(error, MemoryError):
        return Fault("OSI-R011", "out of memory", "lower --parallel or give the process more memory")
    if isinstance(error, ConnectionError | TimeoutError):
        code = "OSI-R020" if moved else "OSI-C010"
        return Fault(code, f"the connection was lost: {text}", retryable=True, kind="connection")
    if isinstance(error, OSError):
        return Fault("OSI-R012", f"a file cannot be used: {text}")
    return None


def _from_fault(fault: Fault, redactor: Redactor, *, moved: bool) -> OsirisError:
    message = redactor.text(fault.message)
    if fault.kind == "connection" and not moved:
        return ConnectError(message, code=fault.code, hint=fault.hint, retryable=fault.retryable)
    kind = DriftError if fault.kind == "drift" else RunError
    return kind(message, code=fault.code, hint=fault.hint, retryable=fault.retryable)


def _after_rows(error: ConnectError) -> RunError:
    return RunError(error.message, code=error.code, hint=error.hint, retryable=error.retryable)
