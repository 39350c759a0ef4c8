"""The prompt: rules, examples, the compact catalogue, then the request. All but the last are byte-stable."""

from __future__ import annotations

from osiris_core.context import Shortlist, View, brief
from osiris_llm.provider import Message

RULES = """\
You turn a request for copying data into a small form. Code checks the form and writes the pipeline.
- Use only the connections, tables and columns listed below. Copy their names letter by letter.
- "asked": the words of the request that name what to read.
- If something asked for does not exist or is not copying, answer {"cannot": reason, "question": what you need to know}.
- "mode": append adds rows, merge updates by key, replace makes the target equal to the source.
"""

COPY_RULES = """\
- "columns": [] means all. "where": only conditions the request states. "keys": [] means the primary key.
- Values are text. Times may be: today, yesterday, last_week, last_month, this_year, last_7_days, 2026-03, \
since:2026-01-01, 2026-01..2026-03; put them in "value" with op "=".
- "incremental": true only if the request says so. "renames": only if the request renames a column.
"""

SQL_RULES = """\
- "query" is one SELECT that gives exactly the columns asked for, under the names asked for. It reads the tables in \
"inputs" by their bare names. "keys" are for merge only.
"""

#: The refusal comes first: without it, impossible requests get valid and wrong plans.
REFUSAL_EXAMPLE = """\
Examples (for other databases):
Request: copy the payroll table to archive
{"asked": "payroll table", "answer": \
{"cannot": "missing_table", "question": "There is no table payroll; which table do you mean?"}}
"""

#: The last one is worded like the refused one: without it, a small model takes the words for the reason.
COPY_EXAMPLES = """\
Request: merge the visits of country NL since March 2026 into archive
{"asked": "visits", "answer": {"moves": [{"from": "visits", "columns": [], \
"where": [{"column": "country", "op": "=", "value": "NL"}, \
{"column": "visited_at", "op": "=", "value": "since:2026-03-01"}], "renames": [], "incremental": false, \
"to": "archive", "table": "visits", "mode": "merge", "keys": []}]}}
Request: append the rooms table from hotel to archive
{"asked": "rooms table", "answer": {"moves": [{"from": "rooms", "columns": [], "where": [], "renames": [], \
"incremental": false, "to": "archive", "table": "rooms", "mode": "append", "keys": []}]}}
"""

SQL_EXAMPLES = """\
Request: replace the archive table room_nights by the sum of nights per room number, called total_nights
{"asked": "nights per room number", "answer": {"sql": {"inputs": ["stays", "rooms"], \
"query": "SELECT r.number, SUM(s.nights) AS total_nights FROM stays s JOIN rooms r ON r.id = s.room_id \
GROUP BY r.number", "to": "archive", "table": "room_nights", "mode": "replace", "keys": []}}}
"""


NAMES_RULES = """\
Which of the tables below hold what the request asks for? Requests may use other words than the tables' names, and
other languages: "wages" may be salaries, "cars" may be vehicles. Answer with one to six names, the likeliest first.
"""


def names_messages(names: str, request: str) -> list[Message]:
    """The first of two stages: pick tables by name. ``names`` is the brief of names only."""
    return [Message("system", f"{NAMES_RULES}\n{names}"), Message("user", f"Request: {request.strip()}")]


def system_message(view: View, tables: Shortlist, *, comments: bool = False) -> Message:
    """The stable part: equal bytes for equal catalogues, so that a provider's cache holds it."""
    rules = RULES + (COPY_RULES if view.copies else "") + (SQL_RULES if view.transform else "")
    examples = REFUSAL_EXAMPLE + (COPY_EXAMPLES if view.copies else "") + (SQL_EXAMPLES if view.transform else "")
    text = f"{rules}\n{examples}\nConnections and tables:\n{brief(view, only=set(tables.chosen), comments=comments)}"
    return Message("system", text)


def request_message(request: str, draft: str = "") -> Message:
    """The user's words; ``draft`` is the form that a follow-up amends."""
    amended = f"The form so far:\n{draft}\nChange it as asked, keep the rest.\n" if draft else ""
    return Message("user", f"{amended}Request: {request.strip()}")


def repair_messages(answer: str, problems: list[str]) -> list[Message]:
    """One more try: the answer and only its problems."""
    listed = "\n".join(f"- {problem}" for problem in problems[:6])
    return [
        Message("assistant", answer),
        Message("user", f"That form has problems:\n{listed}\nAnswer with a mended form."),
    ]
