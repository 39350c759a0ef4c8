"""The one place that decides what a problem does: refuse, warn, or not be looked for."""

from __future__ import annotations

from osiris_core.errors import EXIT_INVALID
from osiris_core.problem_codes import CODES, Category
from osiris_core.problems import Severity

MODES = ("strict", "warn", "off")


def category(code: str) -> Category:
    """Category of a code; one that nobody registered (a plugin's own) counts as ``schema``."""
    known = CODES.get(code)
    return known.category if known else "schema"


def severity(code: str, mode: str, own: Severity = "error") -> Severity:
    """Severity of a problem under a validation mode (``strict``, ``warn`` or ``off``).

    Document, schema, safety and configuration problems always refuse. What is found only against the catalogue
    refuses under ``strict`` and warns under ``warn``; under ``off`` nobody looks for it. Advice never refuses. ``own``
    is what a plugin asks for, and counts only for codes that are not registered.
    """
    if code not in CODES:
        return own
    kind = category(code)
    if kind == "advice" or (kind == "catalog" and mode != "strict"):
        return "warning"
    return "error"


def looks_at_catalogue(mode: str) -> bool:
    """Whether anything behind a connection is asked at all."""
    return mode != "off"


def exit_code(code: str) -> int:
    """The exit code a refusing problem asks for."""
    known = CODES.get(code)
    return known.exit_code if known else EXIT_INVALID
