"""The run report: self-contained, and nothing in it is markup that came from data."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from osiris_core.report import render_report

EVIL = "<script>alert('x')</script>\"&'><img src=x onerror=y>"


def result(**changes: Any) -> dict[str, Any]:
    return {
        "run_id": "r1",
        "run_key": "k1",
        "pipeline": "copy",
        "status": "success",
        "order": ["load"],
        "steps": {"load": {"status": "completed", "rows": 1234567, "written": 1234567, "duration_ms": 2500.0}},
        "error": None,
        **changes,
    }


def event(**changes: Any) -> dict[str, Any]:
    return {"seq": 1, "ts": "2026-11-23T08:00:00.000Z", "event": "step_started", "step": "load", **changes}


class Page(HTMLParser):
    """Collects tags, attributes that load something, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [(name, value) for name, value in attrs if name in ("src", "href", "action") or name[:2] == "on"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_says_what_happened() -> None:
    page = Page(render_report(result(), [event(), event(seq=2, event="step_progress", rows=7)]))
    assert "copy: success" in page.text
    assert "1,234,567" in page.text
    assert "2.50" in page.text
    assert "step_started" in page.text
    assert "step_progress" not in page.text


def test_the_report_loads_nothing() -> None:
    html = render_report(result(), [event()])
    assert Page(html).loads == []
    assert "default-src 'none'" in html
    assert "http" not in html.replace("http-equiv", "")


def test_everything_from_outside_is_escaped() -> None:
    error = {"code": "OSI-R001", "message": EVIL, "hint": EVIL}
    steps = {EVIL: {"status": EVIL, "reason": EVIL}}
    page = Page(
        render_report(
            result(pipeline=EVIL, run_id=EVIL, run_key=EVIL, status=EVIL, order=[EVIL], steps=steps, error=error),
            [event(step=EVIL, ts=EVIL, error={EVIL: EVIL})],
        )
    )
    assert not {"script", "img"} & set(page.tags)
    assert page.loads == []
    assert page.text.count(EVIL) >= 10


def test_a_run_that_never_started_has_a_report() -> None:
    page = Page(render_report(result(steps={}, order=[], status="failed"), []))
    assert "copy: failed" in page.text
