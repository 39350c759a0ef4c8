"""Answers that no sound server gives (OSI-R113): rows, values or packets that are not what the protocol says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from struct import error as StructError  # noqa: N812 - the module calls its exception so

from osiris_core import RunError

_CODE = "OSI-R113"
_AGAIN = "run again; if it stays, report it"


def unlike_rows() -> RunError:
    """What to raise when the lengths of a row lead beyond it, or not to its end."""
    return RunError("the server sent a row whose lengths do not add up", code=_CODE, hint=_AGAIN)


def unlike_type(name: str, source: str) -> RunError:
    """What to raise when values of a column are none of its type, which the server spells ``source``."""
    return RunError(
        f"column {name}: the server sent what is no {source}",
        code=_CODE,
        hint="cast the column in query; if it is plain data of that type, report it",
    )


def too_long() -> RunError:
    """What to raise for a row that no server can be set to send."""
    return RunError("the server sent a row of more than 1 GiB", code=_CODE, hint="leave long columns out")


@contextmanager
def sane_answers() -> Iterator[None]:
    """Make what PyMySQL trips over in a malformed answer a RunError; its own errors pass."""
    try:
        yield
    except (StructError, IndexError, AssertionError, AttributeError, UnicodeDecodeError, RuntimeError) as error:
        raise RunError("the server's answer is not MySQL's protocol", code=_CODE, hint=_AGAIN) from error
