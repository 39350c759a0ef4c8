"""How long one chat turn takes with a hosted model's latency, from the request to validated OML.

    python benchmarks/authoring/turn.py [--turns 20]

A loopback server speaks the OpenAI protocol and answers as a hosted model would: the first token after 0.5 s, then 80
tokens/s. Every turn asks real databases whether they changed, is answered wrongly once and mended by one more question,
grounded, rendered and validated. What the turns take beyond the model's own time is ours. The last line is a turn as
a process of its own, ``osiris chat "…" --json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import duckdb
from bpe_openai import get_encoding
from frozen import HERE
from ways import Recorded

from osiris_core import Session
from osiris_core.testing.servers import mysql_server, postgres_server
from osiris_core.testing.servers.database import PASSWORD
from osiris_llm.author import Author
from osiris_llm.chat import validator
from osiris_llm.providers.openai import CompatibleProvider

sys.path.insert(0, str(HERE.parents[1] / "osiris-llm" / "tests"))

from vendor_double import Answer, vendor_double

_TOKENS = get_encoding("o200k_base")
BOUND_SECONDS = 3.0
FIRST_TOKEN_SECONDS = 0.5
TOKENS_PER_SECOND = 80
REQUEST = "Merge the orders whose status is 'paid' from @shop into @target."
TABLES = """
CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR(80) NOT NULL, country VARCHAR(2), vip BOOLEAN NOT NULL);
CREATE TABLE products (sku VARCHAR(20) PRIMARY KEY, title VARCHAR(80) NOT NULL, price DECIMAL(10,2) NOT NULL);
CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT NOT NULL, status VARCHAR(20), total DECIMAL(12,2));
CREATE TABLE order_items (order_id BIGINT, line INTEGER, sku VARCHAR(20), PRIMARY KEY (order_id, line));
CREATE TABLE payments (payment_id BIGINT PRIMARY KEY, order_id BIGINT NOT NULL, amount DECIMAL(12,2));
CREATE TABLE shipments (id BIGINT PRIMARY KEY, order_id BIGINT NOT NULL, carrier VARCHAR(20))
"""
MOVE = {
    "from": "orders",
    "columns": [],
    "where": [{"column": "status", "op": "=", "value": "paid"}],
    "renames": [],
    "incremental": False,
    "to": "target",
    "table": "orders",
    "mode": "merge",
    "keys": ["id"],
}


def answer(**changes: object) -> Answer:
    """A form as a hosted model would send it: without white space, which strict schemas do not invite."""
    form = {"asked": "orders whose status is 'paid'", "answer": {"moves": [{**MOVE, **changes}]}}
    text = json.dumps(form, separators=(",", ":"))
    return Answer(text, delay=FIRST_TOKEN_SECONDS + len(_TOKENS.encode_ordinary(text)) / TOKENS_PER_SECOND)


@contextmanager
def databases(kind: str, directory: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """Connections ``shop`` and ``target`` to two databases of a kind, the first with tables."""
    if kind == "duckdb":
        with duckdb.connect(str(directory / "shop.duckdb")) as database:
            database.execute(TABLES)
        duckdb.connect(str(directory / "target.duckdb")).close()
        yield {name: {"component": "duckdb", "path": f"{name}.duckdb"} for name in ("shop", "target")}
        return
    with mysql_server() if kind == "mysql" else postgres_server() as server:
        shop, target = server.create_database(), server.create_database()
        shop.execute(TABLES)
        yield {
            name: {**database.fields, "component": kind, "password": "${TURN_PASSWORD}"}
            for name, database in (("shop", shop), ("target", target))
        }


def make_project(directory: Path, connections: dict[str, dict[str, Any]]) -> None:
    """A project with these connections."""
    (directory / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}))
    (directory / "osiris.yaml").write_text("validation: strict\n")


def turns(directory: Path, url: str, count: int) -> tuple[list[float], list[float]]:
    """Seconds of ``count`` turns in one process, in all and of our own; the first, which pays imports, is not kept."""
    session = Session.open(directory, validation_mode="strict")
    in_all, own = [], []
    for _ in range(count + 1):
        recorded = Recorded(CompatibleProvider(base_url=url))
        author = Author(session, recorded, validator(session), now=lambda: datetime.now(UTC))
        started = time.perf_counter()
        result = author.write(REQUEST)
        seconds = time.perf_counter() - started
        if (result.status, result.attempts) != ("written", 2):
            raise SystemExit(f"the turn went another way: {result}")
        in_all.append(seconds)
        own.append(seconds - recorded.seconds)
    return in_all[1:], own[1:]


def process(directory: Path, url: str) -> float:
    """Seconds of a turn in a process of its own, with all imports."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "osiris_core", "chat", REQUEST, "--json"]
    environment = {**os.environ, "OSIRIS_LLM_BASE_URL": url, "OSIRIS_LLM_PROVIDER": "compatible"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description="How long one chat turn takes with a hosted model's latency.")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--database", action="append", choices=("postgres", "mysql", "duckdb"))
    args = parser.parse_args()
    os.environ["TURN_PASSWORD"] = PASSWORD
    wrong, right = answer(**{"from": "ordrs"}), answer()
    length = len(_TOKENS.encode_ordinary(right.text))
    print(f"model: {length} tokens in {wrong.delay:.2f} s + {right.delay:.2f} s; one of two answers is refused")
    slow = []
    for kind in args.database or ("postgres", "mysql", "duckdb"):
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            make_project(directory, stack.enter_context(databases(kind, directory)))
            double = stack.enter_context(vendor_double([wrong, right] * (args.turns + 2)))
            in_all, own = turns(directory, f"{double.url}/v1", args.turns)
            alone = process(directory, f"{double.url}/v1")
        high = quantiles(own, n=20)[-1] if len(own) > 1 else own[0]
        figures = f"p50 {median(in_all):.2f} s (aim: at most {BOUND_SECONDS:g}), slowest {max(in_all):.2f} s"
        ours = f"own p50 {median(own) * 1000:.1f} ms, p95 {high * 1000:.1f} ms"
        print(f"{kind:9} {figures}; {ours}; as a process {alone:.2f} s", flush=True)
        slow += [kind] if median(in_all) > BOUND_SECONDS else []
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
