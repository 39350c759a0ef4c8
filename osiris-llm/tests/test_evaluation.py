"""The evaluation itself, with scripted models: known answers must get the known verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from context_size import Patient, large_catalogue, make_large, recall
from evaluate import sample
from freeform import fenced
from frozen import HERE, Request, load_requests, make_project
from judge import Verdict, judge
from reference import lines_to_edit, right_oml
from report import broken, table
from vendor_double import Double, vendor_double
from ways import Bench

from osiris_core import Session
from osiris_core.context import build_view
from osiris_llm.author import Authored
from osiris_llm.providers.openai import CompatibleProvider

REQUESTS = {request.id: request for request in load_requests()}
FORMS: dict[str, Any] = yaml.safe_load((HERE / "reference_forms.yaml").read_text("utf-8"))
ONE_OF_EACH_KIND = list({request.kind: request.id for request in REQUESTS.values() if request.tables}.values())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[str]:
    """The right OML of "only the paid orders, replace"."""
    yield right(REQUESTS["a03"], tmp_path / "project-of-paid")


def right(request: Request, project: Path) -> str:
    make_project(project, request.connections)
    return right_oml(request, build_view(Session.open(project)))


def freeform(bench: Bench, request: str, *texts: str) -> tuple[Verdict, Double]:
    with vendor_double(texts) as double:
        return bench.freeform(REQUESTS[request], f"{double.url}/v1"), double


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_the_reference_is_judged_right(name: str, tmp_path: Path) -> None:
    request = REQUESTS[name]
    oml = right(request, tmp_path / "p")
    judged = judge(request, Authored("written", oml=oml), oml, tmp_path / "p")
    assert (judged["verdict"], judged["lines_to_edit"]) == ("right", 0), judged["detail"]


def test_every_answerable_request_has_a_reference_and_no_other() -> None:
    assert set(FORMS) == {request.id for request in REQUESTS.values() if request.tables}


def test_our_way_is_timed_and_judged_by_what_ran(bench: Bench) -> None:
    with vendor_double([{"asked": "the paid orders", "answer": FORMS["a03"]}]) as double:
        verdict = bench.ours(REQUESTS["a03"], f"{double.url}/v1")
    assert (verdict.verdict, verdict.lines_to_edit, verdict.valid_first) == ("right", 0, True)
    assert len(double.requests) == 1, "the replays asked the model again"
    assert 0 < verdict.code_milliseconds < verdict.warm_milliseconds
    assert (verdict.prompt_tokens, verdict.output_tokens) == (100, 20)


def test_a_lost_filter_is_silently_wrong(bench: Bench, paid: str) -> None:
    without = "\n".join(line for line in paid.splitlines() if "where:" not in line)
    verdict, _ = freeform(bench, "a03", f"Here it is:\n```yaml\n{without}\n```\nEnjoy.")
    assert (verdict.verdict, verdict.valid_first) == ("silently_wrong", True)
    assert "rows differ" in verdict.detail
    assert verdict.lines_to_edit == 1


def test_a_wrong_mode_is_silently_wrong_although_the_first_run_cannot_show_it(bench: Bench, paid: str) -> None:
    verdict, _ = freeform(bench, "a03", paid.replace("write_mode: replace", "write_mode: append"))
    assert (verdict.verdict, verdict.lines_to_edit) == ("silently_wrong", 2)


def test_what_must_be_declined_and_is_not_costs_all_its_lines(bench: Bench, paid: str) -> None:
    verdict, _ = freeform(bench, "a11", paid)
    assert (verdict.verdict, verdict.detail) == ("silently_wrong", "should have declined")
    assert verdict.lines_to_edit == sum(not line.startswith("#") for line in paid.splitlines())
    verdict, _ = freeform(bench, "a11", "CANNOT: there are no invoices")
    assert (verdict.verdict, verdict.lines_to_edit, verdict.valid_first) == ("declined", 0, True)


def test_declining_what_can_be_done_is_evading(bench: Bench) -> None:
    verdict, _ = freeform(bench, "a03", "QUESTION: which orders?")
    assert (verdict.verdict, verdict.answerable) == ("evaded", True)
    assert verdict.lines_to_edit == 16


def test_nothing_valid_after_two_more_tries_is_a_failure_of_every_line(bench: Bench) -> None:
    verdict, double = freeform(bench, "a03", "no idea")
    assert (verdict.verdict, verdict.attempts, len(double.requests)) == ("failed", 3, 3)
    assert verdict.lines_to_edit == 16
    assert [turn["role"] for turn in double.bodies[2]["messages"]] == ["system", "user", "assistant", "user"]
    assert "response_format" not in double.bodies[0]


def test_style_order_names_and_comments_are_nobodys_mistake(paid: str) -> None:
    document = yaml.safe_load(paid)
    other = {"orders": "x", "load_orders": "y"}
    for step in document["steps"]:
        step["id"] = other[step["id"]]
        if "needs" in step:
            step["needs"] = [other[need] for need in step["needs"]]
    document |= {"name": "another", "steps": document["steps"][::-1]}
    assert lines_to_edit("# hello\n" + yaml.safe_dump(document, indent=4), paid) == 0
    assert lines_to_edit(paid.replace("table: orders\n      where", "table: payments\n      where"), paid) == 2
    assert lines_to_edit("steps: [", paid) == lines_to_edit("", paid) == 16


@pytest.mark.parametrize(
    ("text", "oml"), [("a\n```yaml\nb: 1\n```\nc", "b: 1\n"), ("b: 1", "b: 1\n"), ("```\nb: 1", "b: 1\n")]
)
def test_a_fence_is_found_where_there_is_one(text: str, oml: str) -> None:
    assert fenced(text) == oml


def verdict_of(name: str, verdict: str, lines: int, **changes: Any) -> Verdict:
    kind = REQUESTS[name].kind
    answerable = bool(REQUESTS[name].tables)
    values = {"status": "written", "attempts": 1, "prompt_tokens": 10, "output_tokens": 2, "seconds": 1.0, "detail": ""}
    values |= {"own_milliseconds": 9.0, "warm_milliseconds": 5.0, "code_milliseconds": 4.0, **changes}
    return Verdict(name, kind, "en", answerable, verdict, lines_to_edit=lines, **values)


def test_the_report_compares_the_requests_that_both_ways_answered() -> None:
    ours = [verdict_of("a01", "right", 0), verdict_of("a03", "evaded", 2), verdict_of("a09", "right", 99)]
    theirs = [verdict_of("a01", "failed", 6, status="failed", attempts=3), verdict_of("a03", "silently_wrong", 2)]
    text = table({"ours": ours, "ours-small": [], "freeform": theirs})
    assert "on the 2 requests that both ways answered" in text
    assert "lines to edit 1.00 beside 4.00, ratio 0.25" in text
    assert "+50 percentage points" in text
    assert "1 of 2 (50 %)" in text
    assert "ours-small" not in text


def test_a_bound_that_does_not_hold_is_named() -> None:
    right_ones = [verdict_of(name, "right", 0) for name in ("a01", "a02", "a09")]
    assert broken({"ours": [*right_ones, verdict_of("a11", "declined", 0)]}) == []
    assert broken({"ours": [*right_ones, verdict_of("a11", "silently_wrong", 9)]}) == [
        "silently wrong at most 3 %",
        "all impossible and ambiguous declined",
    ]


def test_a_sample_is_always_the_same_and_has_every_large_kind() -> None:
    requests = list(REQUESTS.values())
    chosen = sample(requests, 22)
    assert chosen == sample(requests[::-1], 22)
    assert len({request.id for request in chosen}) == 22
    assert {"move", "filter", "columns", "impossible", "sql"} <= {request.kind for request in chosen}
    assert sample(requests, 0) == requests


def test_the_program_keeps_each_verdict_and_goes_on_from_there(tmp_path: Path) -> None:
    def evaluate(url: str, only: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(HERE / "evaluate.py"), "--base-url", f"{url}/v1", "--way", "ours"]
        command += ["--only", only, "--json", str(tmp_path / "kept.json"), "--resume"]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    with vendor_double([{"asked": "orders", "answer": FORMS["a01"]}]) as double:
        evaluate(double.url, "a01")
        done = evaluate(double.url, "a01,a13")
    kept = json.loads((tmp_path / "kept.json").read_text())["ours"]
    assert [(verdict["id"], verdict["verdict"]) for verdict in kept] == [("a01", "right"), ("a13", "declined")]
    assert len(double.requests) == 2
    assert "0 of 2 (0 %)" in done.stdout, done.stdout + done.stderr
    assert "missed: SQL" not in done.stdout


def test_two_stages_find_what_the_model_names_and_the_words_do_not(tmp_path: Path) -> None:
    catalogue = large_catalogue()
    make_large(tmp_path / "p", catalogue)
    view = build_view(Session.open(tmp_path / "p"))
    assert len(view.tables) == 600
    wages = {"request": "Bring the wages to lake.", "tables": ["vacancies"]}
    with vendor_double([{"tables": ["vacancies"]}]) as double:
        found = recall(view, wages, Patient(CompatibleProvider(base_url=f"{double.url}/v1")))
    assert (found["words, a few"], found["words"], found["model"], found["two stages"]) == (False, False, True, True)


def test_a_turn_is_timed_with_one_more_question() -> None:
    command = [sys.executable, str(HERE / "turn.py"), "--turns", "1", "--database", "duckdb"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "duckdb    p50 2." in done.stdout


def test_the_guided_prompts_run_on_real_servers() -> None:
    move = {"columns": [], "where": [], "renames": [], "incremental": False, "to": "backup", "keys": []}
    # A bare name where only one connection has the table.
    asked = [("orders", "append"), ("customers@shop", "merge"), ("contacts@crm", "merge")]
    answers = [
        {"asked": name, "answer": {"moves": [{**move, "from": name, "table": name.split("@")[0], "mode": mode}]}}
        for name, mode in asked
    ]
    with vendor_double(answers) as double:
        command = [sys.executable, str(HERE / "guided.py"), "--base-url", f"{double.url}/v1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 prompts gave OML that ran unedited" in done.stdout
    assert done.stdout.count(": equal") == 3
