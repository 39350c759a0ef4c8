"""Evaluate authoring with real models: every frozen request is answered, run and compared by table, not by text.

    python benchmarks/authoring/evaluate.py --models [--json FILE [--resume]] [--freeform-sample 22]

Three ways: ``ours`` with the 1.5 B model, ``ours-small`` with a 270 M one, and ``freeform``, where the 1.5 B model
writes the YAML itself. ``--models`` starts both models' servers (``--model-python`` has xllamacpp); or name running
ones with ``--base-url`` and ``--small-base-url``. FILE is written after every request and continued by ``--resume``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

from frozen import Request, load_requests
from judge import Verdict
from models import model_server
from report import broken, table
from ways import Bench

#: Each way and the model it asks.
WAYS = {"ours": "large", "ours-small": "small", "freeform": "large"}


class Results:
    """Verdicts by way, kept in a file after every request."""

    def __init__(self, path: Path | None, *, resume: bool) -> None:
        self.ways: dict[str, list[Verdict]] = {way: [] for way in WAYS}
        self._path = path
        if path is not None and resume and path.exists():
            for way, verdicts in json.loads(path.read_text("utf-8")).items():
                self.ways[way] = [Verdict(**verdict) for verdict in verdicts]

    def has(self, way: str, request: Request) -> bool:
        return any(verdict.id == request.id for verdict in self.ways[way])

    def add(self, way: str, verdict: Verdict) -> None:
        self.ways[way].append(verdict)
        if self._path is None:
            return
        text = json.dumps({w: [asdict(v) for v in vs] for w, vs in self.ways.items()}, indent=1, ensure_ascii=False)
        partial = self._path.with_suffix(".part")
        partial.write_text(text, "utf-8")
        partial.replace(self._path)


def sample(requests: list[Request], count: int) -> list[Request]:
    """``count`` of the requests, evenly from those sorted by kind; always the same ones."""
    if not 0 < count < len(requests):
        return requests
    by_kind = sorted(requests, key=lambda request: (request.kind, request.id))
    return [by_kind[(2 * place + 1) * len(by_kind) // (2 * count)] for place in range(count)]


def run_way(
    way: str, answer: Callable[[Request], Verdict], requests: list[Request], results: Results, limit: float
) -> None:
    """Answer what is not answered yet, until the seconds are over."""
    # Requests about the same databases follow each other: the prompt's start stays in the model's cache.
    ordered = sorted(requests, key=lambda request: (request.connections, request.comments))
    until = time.monotonic() + limit if limit else float("inf")
    for number, request in enumerate(ordered, 1):
        if results.has(way, request):
            continue
        if time.monotonic() > until:
            print(f"{way}: {limit:.0f} s are over; --resume goes on", flush=True)
            return
        verdict = answer(request)
        results.add(way, verdict)
        what = f"{number:2}/{len(ordered)} {way:10} {verdict.id} {verdict.lang} {verdict.kind:11} {verdict.verdict:14}"
        figures = f"{verdict.seconds:6.1f}s {verdict.own_milliseconds:6.1f}ms {verdict.lines_to_edit:3} lines"
        print(f"{what} {figures}  {verdict.detail[:100]}", flush=True)


def main() -> int:
    args = _parser().parse_args()
    ids = {name for name in args.only.split(",") if name}
    requests = [
        request
        for request in load_requests()
        if (not ids or request.id in ids) and (not args.half or request.id[0] == "ab"[int(args.half) - 1])
    ]
    results = Results(args.json, resume=args.resume)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch))
        for way in args.way or WAYS:
            with ExitStack() as stack:
                base_url = _base_url(WAYS[way], args, stack)
                ask = bench.freeform if way == "freeform" else bench.ours
                chosen = sample(requests, args.freeform_sample) if way == "freeform" else requests
                run_way(way, partial(ask, base_url=base_url), chosen, results, args.limit_seconds)
    print(table(results.ways))
    missed = broken(results.ways) if results.ways["ours"] else []
    print(*(f"missed: {bound}" for bound in missed), sep="\n")
    return 1 if missed else 0


def _base_url(model: str, args: argparse.Namespace, stack: ExitStack) -> str:
    given = {"large": args.base_url, "small": args.small_base_url}[model]
    if given:
        return str(given)
    if not args.models:
        raise SystemExit(f"no address for the {model} model: give --models, --base-url or --small-base-url")
    weights = {"large": args.weights, "small": args.small_weights}[model]
    return stack.enter_context(model_server(args.model_python, weights or model))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Evaluate authoring with real models.")
    parser.add_argument("--models", action="store_true", help="start the models' servers")
    parser.add_argument("--model-python", default=sys.executable, help="an interpreter that has xllamacpp")
    parser.add_argument("--weights", default="", help="a file of weights instead of the installed 1.5 B model")
    parser.add_argument("--small-weights", default="", help="a file of weights instead of the installed 270 M model")
    parser.add_argument("--base-url", default="", help="a running server of the larger model")
    parser.add_argument("--small-base-url", default="", help="a running server of the smaller model")
    parser.add_argument("--way", action="append", choices=tuple(WAYS), help="only this way (may be repeated)")
    parser.add_argument("--only", default="", metavar="ID,ID", help="only these requests")
    parser.add_argument("--half", choices=("1", "2"), help="only one half of the requests")
    parser.add_argument("--freeform-sample", type=int, default=0, metavar="N", help="N requests for the free-form way")
    parser.add_argument("--limit-seconds", type=float, default=0, help="stop a way after so many seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the verdicts here, after every request")
    parser.add_argument("--resume", action="store_true", help="go on where FILE ends")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
