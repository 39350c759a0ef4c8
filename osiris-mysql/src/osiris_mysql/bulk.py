"""The bulk path: row packets decoded a batch at a time."""

from __future__ import annotations


def supported() -> bool:
    """Whether this version of PyMySQL has the internals that the bulk path reads."""
    return False
