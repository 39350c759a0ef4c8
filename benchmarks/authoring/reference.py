"""The right OML of every frozen request that can be answered, and how far another OML is from it."""

from __future__ import annotations

import difflib
import json
import re
from typing import Any

import yaml
from frozen import HERE, Request, check_frozen

from osiris_core.context import SqlMove, View, closed_schema, parse_form, render_moves, render_sql


def right_oml(request: Request, view: View) -> str:
    """The right OML, rendered from the frozen reference form; empty when the request must be declined."""
    if not request.tables:
        return ""
    check_frozen("reference.sha256")
    answer = yaml.safe_load((HERE / "reference_forms.yaml").read_text("utf-8"))[request.id]
    form = parse_form({"asked": "", "answer": answer}, closed_schema(view)).answer
    if isinstance(form, SqlMove):
        return render_sql(form, view, name=request.id)
    assert isinstance(form, tuple)
    return render_moves(form, view, name=request.id)


def write_modes(oml: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Target table to its write mode and merge keys, which a first write into an empty target cannot tell apart."""
    configs = [step["config"] for step in steps_of(oml) or [] if step.get("mode") == "write"]
    return {str(config.get("table")): (str(config.get("write_mode")), _keys(config)) for config in configs}


def _keys(config: dict[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(map(str, config.get("merge_keys") or ())))


def lines_to_edit(oml: str, right: str) -> int:
    """Lines to add and remove until ``oml`` is ``right``; what is no list of steps is written anew.

    Both are loaded and written in one fixed style, steps sorted and renamed by what they do: neither style, order,
    comments, step ids nor the pipeline's name are anybody's mistake.
    """
    wanted, found = _lines(right), _lines(oml)
    if not found:
        return len(wanted)
    return sum(line[0] in "+-" and line[:3] not in ("+++", "---") for line in difflib.unified_diff(found, wanted, n=0))


def steps_of(oml: str) -> list[dict[str, Any]] | None:
    """The steps of OML text, valid or not; None when it holds no list of steps."""
    try:
        document = yaml.safe_load(oml)
    except yaml.YAMLError:
        return None
    steps = document.get("steps") if isinstance(document, dict) else None
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return None
    return [{**step, "config": step["config"] if isinstance(step.get("config"), dict) else {}} for step in steps]


def _lines(oml: str) -> list[str]:
    steps = steps_of(oml) if oml else None
    if not steps:
        return []
    steps.sort(key=_purpose)
    # By mode and place, not by purpose: a wrong table is one wrong line, not three.
    names = {str(step.get("id")): f"{step.get('mode')}_{number}" for number, step in enumerate(steps, 1)}
    return [line for step in steps for line in _listed(_renamed(step, names))]


def _listed(step: dict[str, Any]) -> list[str]:
    """A step as the project's own renderer lays it out: a line per key, values in flow style."""
    config = [f"  {key}: {json.dumps(value, default=str)}" for key, value in sorted(step["config"].items())]
    rest = sorted((str(key), value) for key, value in step.items() if key not in ("id", "config"))
    return [
        f"- {step['id']}",
        *(f"  {key}: {json.dumps(value, default=str)}" for key, value in rest),
        "config:",
        *config,
    ]


def _purpose(step: dict[str, Any]) -> tuple[int, str]:
    mode = str(step.get("mode"))
    place = {"read": 0, "transform": 1, "write": 2}.get(mode, 3)
    return place, str(step["config"].get("table", ""))


def _renamed(step: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    needs = step.get("needs")
    changed = {**step, "id": names[str(step.get("id"))]}
    if isinstance(needs, list):
        changed["needs"] = sorted(names.get(str(need), str(need)) for need in needs)
    sql = step["config"].get("sql")
    if isinstance(sql, str):
        words = (names.get(word, word) for word in re.findall(r"\w+|[^\w\s\"]", sql))
        changed["config"] = {**step["config"], "sql": " ".join(words)}
    return changed
