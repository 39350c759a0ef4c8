"""What the context costs at 6, 60 and 600 tables, and what two stages find of what is meant.

    python benchmarks/authoring/context_size.py [--models | --base-url URL] [--only ID,ID] [--json FILE]

Tokens are o200k_base. Without a model only sizes and the recall by words alone are printed. With one, each of thirty
frozen requests over 600 tables goes through the first stage; a request is met when every table it means is described
to the model in the second.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import yaml
from bpe_openai import get_encoding
from frozen import HERE, check_frozen, make_project
from models import model_server

from osiris_core import Session
from osiris_core.context import View, brief, build_view, closed_schema, shortlist
from osiris_llm.provider import Message, Provider, Reply
from osiris_llm.providers.openai import CompatibleProvider
from osiris_llm.stages import narrowed

_TOKENS = get_encoding("o200k_base")
#: By how many tables words alone are measured as a shortlist of a few.
FEW = 5


class Patient:
    """A provider that is waited for as long as a busy machine needs, and that remembers its last reply."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.name, self.model, self.limits = provider.name, provider.model, provider.limits
        self.last: Reply | None = None

    def complete(self, messages: list[Message], schema: Any, *, timeout: float = 600.0) -> Reply:
        self.last = self._provider.complete(messages, schema, timeout=600.0)
        return self.last


def tokens(text: str) -> int:
    """How many o200k_base tokens ``text`` is."""
    return len(_TOKENS.encode_ordinary(text))


def large_catalogue() -> dict[str, Any]:
    """The frozen catalogue of 600 tables and its requests."""
    check_frozen("recall.sha256")
    loaded: dict[str, Any] = yaml.safe_load((HERE / "recall.yaml").read_text("utf-8"))
    return loaded


def make_large(directory: Path, catalogue: dict[str, Any]) -> None:
    """A project whose ``firm`` has the 600 tables, with an empty ``lake`` beside it."""
    directory.mkdir(parents=True)
    (directory / "osiris_connections.yaml").write_text(
        "connections:\n  firm: {component: duckdb, path: firm.duckdb}\n  lake: {component: duckdb, path: lake.duckdb}\n"
    )
    tables = dict(catalogue["tables"])
    for area in catalogue["areas"]:
        tables |= {f"{area}_{entity}": f"{entity}_id:BIGINT label:VARCHAR" for entity in catalogue["entities"]}
    with duckdb.connect(str(directory / "firm.duckdb")) as database:
        for name, columns in tables.items():
            listed = ", ".join(column.replace(":", " ", 1) for column in columns.split())
            database.execute(f"CREATE TABLE {name} ({listed}, PRIMARY KEY ({columns.split(':')[0]}))")
    duckdb.connect(str(directory / "lake.duckdb")).close()


def size(directory: Path) -> dict[str, Any]:
    """What the context of a project costs; the catalogue is discovered first, then comes from its cache."""
    milliseconds = []
    for _ in range(4):
        session = Session.open(directory)
        _ = session.catalogs, session.plugins
        started = time.perf_counter()
        view = build_view(session)
        tables = shortlist(view, "")
        text, schema = brief(view, only=set(tables.chosen)), json.dumps(closed_schema(view))
        milliseconds.append((time.perf_counter() - started) * 1000)
    started = time.perf_counter()
    brief(view, only=set(tables.chosen)), json.dumps(closed_schema(view))
    made = (time.perf_counter() - started) * 1000
    everything = brief(view)
    return {
        "tables": len(view.tables),
        "names": tokens(brief(view, names_only=True)),
        "brief of all": tokens(everything),
        "brief sent": tokens(text),
        "bytes sent": len(text.encode()),
        "schema": tokens(schema),
        "schema bytes": len(schema.encode()),
        "two stages": bool(tables.left_out),
        "ms, discovered": round(milliseconds[0], 1),
        "ms, cached": round(min(milliseconds[1:]), 1),
        "ms, made of it": round(made, 1),
    }


def recall(view: View, request: dict[str, Any], provider: Patient | None) -> dict[str, Any]:
    """Whether the tables that a request means are found: by words (a few, and within the budget) and by two stages."""
    meant = set(request["tables"])
    few = _few(view, request["request"])
    found = {"words, a few": meant <= few, "words": meant <= set(shortlist(view, request["request"]).chosen)}
    if provider is None:
        return found
    started = time.perf_counter()
    stage = narrowed(view, request["request"], provider)
    picked = (provider.last.value or {}).get("tables", []) if provider.last else []
    return {
        **found,
        "model": meant <= set(picked),
        "words, a few, and model": meant <= few | set(picked),
        "two stages": meant <= set(stage.tables.chosen),
        "picked": picked,
        "tokens": [provider.last.usage.prompt_tokens, provider.last.usage.output_tokens] if provider.last else [],
        "seconds": round(time.perf_counter() - started, 1),
    }


def _few(view: View, request: str) -> set[str]:
    """The few tables that words alone rank highest: what fits the smallest budget that takes any."""
    frame = len(brief(view, only=())) / 2.6
    for budget in range(int(frame) + 10, int(frame) + 400, 5):
        chosen = shortlist(view, request, budget).chosen
        if len(chosen) >= FEW:
            return set(chosen)
    return set()


def print_sizes(sizes: list[dict[str, Any]]) -> None:
    for title in sizes[0]:
        print(f"{title:24}" + "".join(f"{one[title]!s:>12}" for one in sizes))


def print_recall(found: dict[str, dict[str, Any]], kinds: dict[str, str]) -> None:
    """A line per way of finding, a column per kind of request."""
    by_kind: defaultdict[str, list[str]] = defaultdict(list)
    for identity in found:
        by_kind[kinds[identity]].append(identity)
    print(f"{'tables found':28}" + "".join(f"{kind:>12}" for kind in by_kind))
    ways = [way for way, value in next(iter(found.values())).items() if isinstance(value, bool)]
    for way in ways:
        shares = [f"{sum(found[i][way] for i in members)} of {len(members)}" for members in by_kind.values()]
        print(f"{way:28}" + "".join(f"{share:>12}" for share in shares))


def main() -> int:
    args = _parser().parse_args()
    catalogue = large_catalogue()
    ids = {name for name in args.only.split(",") if name}
    requests = [request for request in catalogue["requests"] if not ids or request["id"] in ids]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        scratch = Path(name)
        make_project(scratch / "small", ("shop",))
        make_project(scratch / "middle", ("erp",))
        make_large(scratch / "large", catalogue)
        print_sizes([size(scratch / project) for project in ("small", "middle", "large")])
        base_url = args.base_url
        if args.models:
            base_url = stack.enter_context(model_server(args.model_python, args.weights or "large"))
        provider = Patient(CompatibleProvider(base_url=base_url)) if base_url else None
        view = build_view(Session.open(scratch / "large"))
        found: dict[str, dict[str, Any]] = {}
        for request in requests:
            one = found[request["id"]] = recall(view, request, provider)
            if provider is not None:
                met = "met " if one["two stages"] else "lost"
                print(f"{request['id']} {request['kind']:8} {met} {one['seconds']:6.1f}s {one['picked']}", flush=True)
            if args.json:
                args.json.write_text(json.dumps(found, indent=1), "utf-8")
    print_recall(found, {request["id"]: request["kind"] for request in requests})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="What the context costs, and what two stages find.")
    parser.add_argument("--models", action="store_true", help="start the model's server")
    parser.add_argument("--model-python", default=sys.executable, help="an interpreter that has xllamacpp")
    parser.add_argument("--weights", default="", help="a file of weights instead of the installed 1.5 B model")
    parser.add_argument("--base-url", default="", help="a running server")
    parser.add_argument("--only", default="", metavar="ID,ID", help="only these requests")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what was found here, after every request")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
