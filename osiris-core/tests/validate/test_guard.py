"""Nothing that the validator says repeats a secret of the file, whichever check or plugin says it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from osiris_core.oml import load
from osiris_core.problems import Problem
from osiris_core.validate.guard import Guard
from osiris_core.validate.validation import finished

CANARY = "Hunter2Canary"
HEAD = 'oml_version: "0.0.1"\nname: copy\nsteps:\n'
STEP = (
    "  - {id: orders, component: duckdb.table, mode: read, connection: ALIAS, config: {table: orders, columns: [id]}}\n"
)
#: What somebody may write where a name belongs; the caret's line shows *** for each.
WRITTEN = [
    f"password={CANARY}",
    f"mysql://me:{CANARY}@db/shop",
    f"https://db/?api_key={CANARY}&page=1",
    f"${{PASSWORD:-{CANARY}}}",
    f"sk-{CANARY}{CANARY}",
    f"SELECT * FROM t WHERE token = '{CANARY}'",
]
PLACES = {
    "id": ("id: orders", "id: WRITTEN"),
    "component": ("duckdb.table", "WRITTEN"),
    "mode": ("mode: read", "mode: WRITTEN"),
    "alias": ("ALIAS", "WRITTEN"),
    "table": ("table: orders", "table: WRITTEN"),
    "column": ("[id]", "[WRITTEN]"),
    "field": ("columns", "WRITTEN"),
    "needs": ("mode: read", "mode: read, needs: [WRITTEN]"),
    "step field": ("id: orders", "id: orders, WRITTEN: 1"),
    "condition": ("columns: [id]", "where: [{column: WRITTEN, op: =, value: 1}]"),
}


def said(problem: Problem) -> str:
    """All of it, as ``--json`` prints it."""
    return json.dumps(problem.to_json(), ensure_ascii=False)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("written", WRITTEN)
def test_no_check_repeats_what_stands_where_a_name_belongs(shop: Any, place: str, written: str) -> None:
    step = STEP.replace(*PLACES[place]).replace("WRITTEN", json.dumps(written)).replace("ALIAS", '"@shop"')
    validation = shop.check(HEAD + step)
    assert validation.problems
    for problem in validation.problems:
        assert CANARY not in said(problem)
        assert problem.message
        assert problem.span is None or CANARY not in validation.document.snippet(problem.span)


@pytest.mark.parametrize(
    "text",
    [
        f"password: &{CANARY} x\n",
        f"password: *{CANARY}\n",
        f"token: !{CANARY} x\n",
        f"password:\n- {CANARY}\nx: [\n",
        f"name: 'https://db/?api_key={CANARY}&page=1'\n",
        f"params: {{'password={CANARY}': {{type: date}}}}\n",
        f"params: {{db_password: {{type: {CANARY}, default: {CANARY}}}}}\n",
    ],
)
def test_no_mend_has_a_secret_as_a_name(shop: Any, text: str) -> None:
    validation = shop.check(text + HEAD + STEP.replace("ALIAS", '"@shop"'))
    assert validation.problems
    for problem in validation.problems:
        assert CANARY not in problem.hint + problem.example


def test_a_secret_is_known_again_far_from_its_key() -> None:
    document = load(f"password: {CANARY}\nother: orders\nsecret: orders\nparams: {{token: {{type: date}}}}\n", "p.yaml")
    hints = {
        f'write "{CANARY}"': "",
        f"write {CANARY.lower()}": f"write {CANARY.lower()}",
        "write orders": "write orders",  # it stands elsewhere too, where everybody sees it
        "secret: this word of ours": "secret: this word of ours",
        "types are date and string": "types are date and string",
        "write https://me:word@host": "",
    }
    problems = [Problem("OSI-V106", f"{CANARY} is no number", (CANARY, n), hint=hint) for n, hint in enumerate(hints)]
    found = finished(problems, document, "strict")
    assert {problem.path[1]: problem.hint for problem in found} == dict(enumerate(hints.values()))
    assert {(problem.message, problem.path[0]) for problem in found} == {("*** is no number", "***")}


def test_what_holds_no_secret_passes_as_it_is() -> None:
    document = load(HEAD, "p.yaml")
    problem = Problem("OSI-V106", "a password: none", ("a",), hint="key: value", example="password: ${NAME}")
    assert Guard(document).passed(problem) is problem


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "".join(f"  - password: secret{number}\n" for number in range(20_000)) + "  x: [",
        "password:\n" + "".join(f"  line{number}\n" for number in range(20_000)) + "x: [",
        f"password: a{' ' * 100_000}b\nx: [",
        HEAD + f'  - id: "{"password=" * 30_000}"\n',
        HEAD + f'  - id: "{"a://b:" * 30_000}"\n',
    ],
)
def test_secrets_by_the_thousand_are_looked_at_in_time(shop: Any, text: str) -> None:
    shop.check(HEAD)
    start = time.process_time()
    assert shop.check(text).problems
    assert time.process_time() - start < 10
