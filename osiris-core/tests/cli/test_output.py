"""Whatever a name or a message holds, a terminal gets no control character of it."""

from __future__ import annotations

import io
import json
import sys

import pytest

from osiris_core.cli.failure import report
from osiris_core.cli.output import emit_json, format_problem, print_note, print_problems, print_table, print_text
from osiris_core.errors import RunError
from osiris_core.problems import Problem

#: Clears the screen, sets the title, returns, C1's own escape, turns the direction, joins nothing, half a pair.
NASTY = "a\x1b[2Jb\x1b]0;t\x07c\rd\x9be\u202ef\u2066g\u2028h\udcffi"
SHOWN = "a\\x1b[2Jb\\x1b]0;t\\x07c\\rd\\x9be\\u202ef\\u2066g\\u2028h\\udcffi"


def test_a_problem_is_safe_to_print() -> None:
    text = format_problem(Problem("OSI-V201", f"no {NASTY}", hint=f"try {NASTY}\nor not", file=f"{NASTY}.yaml"))
    first, *others = text.split("\n")
    assert first == f"{SHOWN}.yaml: error OSI-V201: no {SHOWN}"
    assert f"  mend: try {SHOWN}" in others
    assert "or not" in others, "a line end stays one"


def test_everything_printed_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("HEAD",), [[NASTY]])
    print_text(f"{NASTY}\n{NASTY}")
    out, err = capsys.readouterr()
    assert (out, err) == (f"HEAD\n{SHOWN}\n{SHOWN}\n{SHOWN}\n", "")
    print_note(f"note: {NASTY}")
    print_problems([Problem("OSI-X999", NASTY)])
    report(RunError(NASTY, hint=NASTY), as_json=False, debug=True)
    report(ValueError(NASTY), as_json=False, debug=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count(SHOWN) == 6
    assert [sign for sign in err.replace("\n", "") if not sign.isprintable()] == []


def test_json_says_the_same_and_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    unseen = f"{NASTY}\x7f\xad\U000e0001\U000f0000"  # delete, a soft hyphen, a tag, somebody's own
    emit_json({unseen: "é"})
    stream.flush()
    text = stream.buffer.getvalue().decode()
    assert json.loads(text) == {unseen: "é"}
    assert "é" in text
    assert [sign for sign in text.replace("\n", "") if not sign.isprintable()] == []
