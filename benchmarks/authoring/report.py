"""The report: the ways side by side, and the bounds that hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import mean, median, quantiles

from judge import Verdict

Row = tuple[str, Callable[[Sequence[Verdict]], str]]


def table(ways: dict[str, list[Verdict]]) -> str:
    """Every figure of every way, as lines of text."""
    names = [name for name, verdicts in ways.items() if verdicts]
    lines = [f"{'':44}" + "".join(f"{name:>22}" for name in names)]
    lines += [f"{title:44}" + "".join(f"{figure(ways[name]):>22}" for name in names) for title, figure in _rows()]
    return "\n".join([*lines, *_compared(ways)])


def broken(ways: dict[str, list[Verdict]]) -> list[str]:
    """What is promised of our way with the larger model and does not hold."""
    verdicts = ways.get("ours", [])
    declinable = [v for v in verdicts if not v.answerable]
    wrong = [v for v in verdicts if v.verdict == "silently_wrong"]
    bounds = [
        ("silently wrong at most 3 %", len(wrong) <= 0.03 * len(verdicts)),
        ("moves executed right at least 85 %", _percent(_right(_moves(verdicts)), _moves(verdicts)) >= 85),
        ("SQL executed right at least 60 %", _percent(_right(_sql(verdicts)), _sql(verdicts)) >= 60),
        ("at least 90 % of the answerable answered", _percent(_answered(verdicts), _answerable(verdicts)) >= 90),
        ("all impossible and ambiguous declined", all(v.verdict == "declined" for v in declinable)),
    ]
    return [title for title, holds in bounds if not holds]


def _rows() -> list[Row]:
    return [
        ("requests", lambda vs: str(len(vs))),
        ("valid at first try", lambda vs: _share([v for v in vs if v.valid_first], vs)),
        ("moves executed right", lambda vs: _share(_right(_moves(vs)), _moves(vs))),
        ("SQL executed right", lambda vs: _share(_right(_sql(vs)), _sql(vs))),
        ("answerable ones answered", lambda vs: _share(_answered(vs), _answerable(vs))),
        ("impossible ones declined", lambda vs: _share(*_declined(vs, ("impossible",)))),
        ("ambiguous ones declined", lambda vs: _share(*_declined(vs, ("ambiguous",)))),
        ("silently wrong, of all", lambda vs: _share([v for v in vs if v.verdict == "silently_wrong"], vs)),
        ("OML lines to edit, mean per request", lambda vs: f"{mean(v.lines_to_edit for v in vs):.2f}"),
        ("prompt tokens, median (sum)", lambda vs: _tokens(v.prompt_tokens for v in vs)),
        ("output tokens, median (sum)", lambda vs: _tokens(v.output_tokens for v in vs)),
        ("seconds, median (sum)", lambda vs: f"{median(v.seconds for v in vs):.1f} ({sum(v.seconds for v in vs):.0f})"),
        ("own ms, first request (imports)", lambda vs: f"{vs[0].own_milliseconds:.0f}"),
        ("own ms, catalogue discovered, p50 / p95", lambda vs: _spread([v.own_milliseconds for v in vs[1:]])),
        ("own ms, catalogue cached, p50 / p95", lambda vs: _spread([v.warm_milliseconds for v in vs[1:]])),
        ("own ms, without asking the databases", lambda vs: _spread([v.code_milliseconds for v in vs[1:]])),
    ]


def _compared(ways: dict[str, list[Verdict]]) -> list[str]:
    """Ours beside free-form on the requests that both answered."""
    free = {v.id: v for v in ways.get("freeform", [])}
    ours = [v for v in ways.get("ours", []) if v.id in free]
    if not ours:
        return []
    theirs = [free[v.id] for v in ours]
    one, other = mean(v.lines_to_edit for v in ours), mean(v.lines_to_edit for v in theirs)
    ratio = f"{one / other:.2f}" if other else "none needed"
    points = _percent([v for v in ours if v.valid_first], ours) - _percent([v for v in theirs if v.valid_first], theirs)
    return [
        f"on the {len(ours)} requests that both ways answered, ours beside free-form:",
        f"  lines to edit {one:.2f} beside {other:.2f}, ratio {ratio} (aim: at most 0.25)",
        f"  valid at first try {points:+.0f} percentage points (aim: at least +50)",
    ]


def _moves(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.answerable and v.kind != "sql"]


def _sql(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.answerable and v.kind == "sql"]


def _right(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.verdict == "right"]


def _answerable(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.answerable]


def _answered(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.answerable and v.verdict not in ("evaded", "failed")]


def _declined(verdicts: Sequence[Verdict], kinds: tuple[str, ...]) -> tuple[list[Verdict], list[Verdict]]:
    whole = [v for v in verdicts if not v.answerable and v.kind in kinds]
    return [v for v in whole if v.verdict == "declined"], whole


def _percent(part: Sequence[Verdict], whole: Sequence[Verdict]) -> float:
    return 100 * len(part) / len(whole) if whole else 100.0


def _share(part: Sequence[Verdict], whole: Sequence[Verdict]) -> str:
    return f"{len(part)} of {len(whole)} ({_percent(part, whole):.0f} %)" if whole else "-"


def _tokens(counts: Iterable[int]) -> str:
    found = list(counts)
    return f"{median(found):,.0f} ({sum(found):,})"


def _spread(milliseconds: list[float]) -> str:
    kept = [value for value in milliseconds if value]
    if not kept:
        return "-"
    high = quantiles(kept, n=20)[-1] if len(kept) > 1 else kept[0]
    return f"{median(kept):.1f} / {high:.1f}"
