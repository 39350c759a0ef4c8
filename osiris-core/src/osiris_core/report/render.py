"""Render a run's result and events as one HTML page. Every value is escaped; nothing is loaded from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from string import Template
from typing import Any

_COLUMNS = ("step", "status", "rows", "bytes", "written", "deduplicated", "skipped", "unchanged", "deleted", "seconds")

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2128; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #d0d7de; padding: .3rem .6rem; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
code, pre { font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.success, .completed { color: #1a7f37; } .failed { color: #b42318; } .cancelled, .skipped { color: #7d5700; }
.error { border-left: 4px solid #b42318; padding: .5rem 1rem; background: #fff5f4; }
@media (prefers-color-scheme: dark) {
  body { background: #0d1117; color: #e6edf3; } th, td { border-color: #30363d; } .error { background: #2a1416; }
  .success, .completed { color: #3fb950; } .failed { color: #f85149; } .cancelled, .skipped { color: #d29922; }
}
</style>
</head>
<body>
<h1>$pipeline: <span class="$status">$status</span></h1>
<p>run <code>$run_id</code>, run key <code>$run_key</code>$span</p>
$error
<h2>Steps</h2>
<table><thead><tr>$head</tr></thead><tbody>
$steps
</tbody></table>
<h2>Events</h2>
<table><thead><tr><th>#</th><th>time (UTC)</th><th>event</th><th>step</th><th>what</th></tr></thead><tbody>
$events
</tbody></table>
</body>
</html>
""")


def render_report(result: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    """The report of one run.

    Args:
        result: what ``result.json`` holds.
        events: the lines of ``events.jsonl``; progress is left out of the page.
    """
    pipeline = result.get("pipeline") or "run"
    return _PAGE.substitute(
        title=escape(f"Osiris: {pipeline} {result['status']}"),
        pipeline=escape(str(pipeline)),
        status=escape(str(result["status"])),
        run_id=escape(str(result["run_id"])),
        run_key=escape(str(result["run_key"])),
        span=_span(events),
        error=_error(result.get("error")),
        head="".join(f"<th>{column}</th>" for column in _COLUMNS),
        steps="\n".join(_step(step, result["steps"][step]) for step in result["order"]),
        events="\n".join(_event(event) for event in events if event["event"] != "step_progress"),
    )


def _span(events: Sequence[Mapping[str, Any]]) -> str:
    return f", {escape(events[0]['ts'])} to {escape(events[-1]['ts'])}" if events else ""


def _error(error: Mapping[str, Any] | None) -> str:
    if not error:
        return ""
    hint = f"<br>{escape(str(error['hint']))}" if error.get("hint") else ""
    return f'<p class="error"><code>{escape(str(error["code"]))}</code> {escape(str(error["message"]))}{hint}</p>'


def _step(step: str, value: Mapping[str, Any]) -> str:
    status = str(value.get("status", ""))
    seconds = f"{value['duration_ms'] / 1000:,.2f}" if "duration_ms" in value else ""
    numbers = [*(_number(value.get(column)) for column in _COLUMNS[2:-1]), seconds]
    cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
    reason = f" ({escape(str(value['reason']))})" if value.get("reason") else ""
    return f'<tr><td>{escape(step)}</td><td class="{escape(status)}">{escape(status)}{reason}</td>{cells}</tr>'


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else ""


def _event(event: Mapping[str, Any]) -> str:
    known = ("v", "run_id", "seq", "ts", "event", "step")
    what = ", ".join(f"{key}={_shown(value)}" for key, value in event.items() if key not in known)
    cells = (event["seq"], event["ts"], event["event"], event.get("step") or "", what)
    return "<tr>" + "".join(f"<td><code>{escape(str(cell))}</code></td>" for cell in cells) + "</tr>"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in _filled(value.items())) + "}"
    return str(value)


def _filled(items: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    return ((key, value) for key, value in items if value not in ("", None))
