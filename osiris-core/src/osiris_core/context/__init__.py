"""Context: what a model is told of the world, what its answer may be, and the OML made of it."""

from osiris_core.context.brief import brief, printable
from osiris_core.context.build import build_view, view_fingerprint
from osiris_core.context.closed_schema import CLOSURES, OPERATORS, Closure, closed_schema, enum_sizes
from osiris_core.context.form import Cannot, Condition, Form, Move, Rename, SqlMove, parse_form
from osiris_core.context.model import ContextRequest, ContextSection, Source, TableRef, View
from osiris_core.context.render import pick_cursor, render_moves, render_sql, typed_value
from osiris_core.context.shortlist import DEFAULT_BUDGET, Shortlist, approximate_tokens, shortlist
from osiris_core.llm_provider import LLMProvider

__all__ = [
    "CLOSURES",
    "DEFAULT_BUDGET",
    "OPERATORS",
    "Cannot",
    "Closure",
    "Condition",
    "ContextRequest",
    "ContextSection",
    "Form",
    "LLMProvider",
    "Move",
    "Rename",
    "Shortlist",
    "Source",
    "SqlMove",
    "TableRef",
    "View",
    "approximate_tokens",
    "brief",
    "build_view",
    "closed_schema",
    "enum_sizes",
    "parse_form",
    "pick_cursor",
    "printable",
    "render_moves",
    "render_sql",
    "shortlist",
    "typed_value",
    "view_fingerprint",
]
