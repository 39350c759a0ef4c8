"""Three guided prompts with a real model and real servers: asked, run unedited, and compared table by table.

    python benchmarks/authoring/guided.py [--models | --base-url URL] [--only N]

Supabase to Supabase by append and by merge, MySQL to Supabase by merge. The Supabase projects are databases of one
PostgreSQL, reached as Supabase's own databases are (``supabase.table`` over its SQL channel). Each is a process
``osiris chat "…" --out p.yaml --json`` and then ``osiris run p.yaml``, nothing in between. The transcript is printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from models import model_server

from osiris_core.testing.cli import clean_environment, osiris_command
from osiris_core.testing.servers import Database, mysql_server, postgres_server

ROWS = 500
_DDL = {
    "orders": "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT NOT NULL, status VARCHAR(20) NOT NULL, "
    "total DECIMAL(12,2) NOT NULL, placed_at TIMESTAMP NOT NULL)",
    "customers": "CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR(80) NOT NULL, country VARCHAR(2))",
    "contacts": "CREATE TABLE contacts (id BIGINT PRIMARY KEY, email VARCHAR(80), full_name VARCHAR(80) NOT NULL)",
}


@dataclass(frozen=True)
class Prompt:
    """What is asked for, and the table that it is about. A merged target has older rows and one that stays."""

    text: str
    source: str
    table: str
    merge: bool


PROMPTS = (
    Prompt("Append the orders table from @shop to @backup.", "shop", "orders", False),
    Prompt("Merge all customers from @shop into @backup on id.", "shop", "customers", True),
    Prompt("Merge the contacts from the MySQL database @crm into @backup on id.", "crm", "contacts", True),
)


def rows(table: str, numbers: range, *, old: bool = False) -> list[tuple[object, ...]]:
    """Rows of a table; ``old`` ones differ from today's in one column."""
    word = "old " if old else ""
    if table == "orders":
        return [(n, 1 + n % 50, "paid", n * 7 % 1000 + n % 4 / 4, f"2026-01-01 00:{n % 60:02}:00") for n in numbers]
    if table == "customers":
        return [(n, f"{word}Zákazník № {n} 🐎", ("CZ", "DE", "PT")[n % 3]) for n in numbers]
    return [(n, None if n % 7 == 0 else f"{n}@example.org", f"{word}O'Person \\ {n}") for n in numbers]


def fill(shop: Database, crm: Database, backup: Database) -> None:
    """The sources, and what the merged targets hold before."""
    for database, table in ((shop, "orders"), (shop, "customers"), (crm, "contacts")):
        database.execute(_DDL[table])
        database.insert(table, rows(table, range(1, ROWS + 1)))
    for table in ("customers", "contacts"):
        backup.execute(_DDL[table])
        backup.insert(table, [*rows(table, range(1, ROWS // 2), old=True), *rows(table, range(9000, 9001))])


def make_project(directory: Path, shop: Database, crm: Database, backup: Database) -> None:
    """A project with two Supabase connections and one to MySQL; its secrets stand in ``.env``."""
    databases = {"shop": (shop, "supabase"), "crm": (crm, "mysql"), "backup": (backup, "supabase")}
    connections = {}
    for name, (database, component) in databases.items():
        connections[name] = {**database.fields, "component": component, "password": f"${{{name.upper()}_PASSWORD}}"}
        if component == "supabase":  # Supabase's own servers speak TLS; the test server does not
            connections[name]["sslmode"] = "prefer"
    (directory / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}, indent=1))
    secrets = (f'{name.upper()}_PASSWORD="{database.password}"\n' for name, (database, _) in databases.items())
    (directory / ".env").write_text("".join(secrets))


def osiris(directory: Path, base_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A real ``osiris`` process."""
    environment = clean_environment({"OSIRIS_LLM_BASE_URL": base_url, "OSIRIS_LLM_PROVIDER": "compatible"})
    command = [*osiris_command(), *arguments, "--secrets-file", ".env"]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def compare(prompt: Prompt, source: Database, target: Database, before: list[tuple[object, ...]]) -> tuple[str, bool]:
    """What the target holds beside what it should: the source's rows, and after a merge those it had alone."""
    query = f"SELECT * FROM {prompt.table} ORDER BY id"
    read = source.query(query)
    wanted = {row[0]: row for row in [*before, *read]} if prompt.merge else {row[0]: row for row in read}
    held = target.query(query)
    same = held == [wanted[key] for key in sorted(wanted)]
    kept = len(wanted) - len(read)
    return f"{len(read)} rows in @{prompt.source}, {len(held)} in @backup, {kept} of them its own: " + (
        "equal" if same else "DIFFERENT"
    ), same


def guide(number: int, prompt: Prompt, directory: Path, base_url: str, source: Database, target: Database) -> bool:
    """Ask, run, compare, and print the transcript."""
    print(f'\n{"=" * 100}\n$ osiris chat "{prompt.text}" --out p{number}.yaml --json')
    before = target.query(f"SELECT * FROM {prompt.table}") if prompt.merge else []
    started = time.perf_counter()
    chat = osiris(directory, base_url, "chat", prompt.text, "--out", f"p{number}.yaml", "--json")
    try:
        result = json.loads(chat.stdout)
    except ValueError:
        print(chat.stdout + chat.stderr)
        return False
    result = result.get("result", result)
    usage = result.get("usage") or {}
    print(f"exit {chat.returncode}, {result.get('status')}, {result.get('attempts')} attempts, {usage}")
    print(f"{time.perf_counter() - started:.1f} s")
    for note in result.get("notes") or ():
        print(f"· {note}")
    if result.get("message"):
        print(f"? {result['message']}")
    for problem in result.get("problems") or ():
        print(f"✗ {problem}")
    print(result.get("oml", ""))
    if chat.returncode != 0:
        return False
    print(f"$ osiris run p{number}.yaml")
    run = osiris(directory, base_url, "run", f"p{number}.yaml")
    print((run.stdout + run.stderr).strip() + f"\nexit {run.returncode}")
    said, same = compare(prompt, source, target, before) if run.returncode == 0 else ("nothing to compare", False)
    print(said, flush=True)
    return same


def main() -> int:
    args = _parser().parse_args()
    if not args.models and not args.base_url:
        raise SystemExit("no model: give --models or --base-url")
    done = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres, mysql = stack.enter_context(postgres_server()), stack.enter_context(mysql_server())
        shop, backup, crm = (
            postgres.create_database("shop"),
            postgres.create_database("backup"),
            mysql.create_database(),
        )
        fill(shop, crm, backup)
        make_project(directory, shop, crm, backup)
        base_url = args.base_url
        if args.models:
            base_url = stack.enter_context(model_server(args.model_python, args.weights or "large"))
        for number, prompt in enumerate(PROMPTS, 1):
            if args.only in (0, number):
                source: Database = {"shop": shop, "crm": crm}[prompt.source]
                done.append(guide(number, prompt, directory, base_url, source, backup))
    print(f"\n{sum(done)} of {len(done)} prompts gave OML that ran unedited and left the right table")
    return 0 if all(done) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Three guided prompts with a real model and real servers.")
    parser.add_argument("--models", action="store_true", help="start the model's server")
    parser.add_argument("--model-python", default=sys.executable, help="an interpreter that has xllamacpp")
    parser.add_argument("--weights", default="", help="a file of weights instead of the installed 1.5 B model")
    parser.add_argument("--base-url", default="", help="a running server")
    parser.add_argument("--only", type=int, choices=(1, 2, 3), default=0, help="only this prompt")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
