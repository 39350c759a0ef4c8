"""validate, explain and upgrade in real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from osiris_core.problem_codes import CODES
from osiris_core.testing.cli import Osiris

FAULTS = Path(__file__).parents[1] / "faults"
ENV = {"OSIRIS_PLUGINS": "duckdb"}
VALID = """\
oml_version: "0.0.1"
name: copy
steps:
  - id: orders
    component: duckdb.table
    mode: read
    connection: "@shop"
    config: {table: orders, columns: [id, customer_id, total]}
  - id: load
    component: duckdb.table
    mode: write
    connection: "@ware"
    needs: [orders]
    config: {table: order_copy, write_mode: merge, merge_keys: [id]}
"""


@pytest.fixture
def run(own_shop: Any, osiris: Osiris) -> Any:
    """``run("validate", …)`` in a shop of the test's own; results on stdout, what is for people on stderr."""

    def call(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        return osiris(*arguments, cwd=own_shop.root, env={**ENV, **env})

    (own_shop.root / "valid.yaml").write_text(VALID)
    (own_shop.root / "stale.yaml").write_text(VALID.replace("table: orders", "table: ordrs"))
    return call


# -- validate ------------------------------------------------------------------------------------------
def test_a_valid_pipeline_is_called_valid(run: Any) -> None:
    done = run("validate", "valid.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "valid.yaml: valid, 2 steps\n", "")


def test_warnings_are_said_to_be_no_refusal(run: Any, own_shop: Any) -> None:
    extra = '  - {id: more, component: duckdb.table, mode: read, connection: "@shop", config: {table: orders}}\n'
    (own_shop.root / "spare.yaml").write_text(VALID + extra)
    done = run("validate", "spare.yaml")
    assert (done.returncode, done.stdout) == (0, "spare.yaml: valid, 3 steps; accepted, with 1 warning\n")


def test_problems_are_for_people_on_stderr(run: Any) -> None:
    done = run("validate", "stale.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == 'stale.yaml:8:21: error OSI-V201: there is no table "ordrs" behind @shop'
    assert lines[1:3] == [
        "   8 |     config: {table: ordrs, columns: [id, customer_id, total]}",
        "     |                     ^^^^^",
    ]
    assert 'mend: did you mean "orders"?' in lines[4]


def test_json_holds_the_problems_of_every_file(run: Any) -> None:
    done = run("validate", "valid.yaml", "stale.yaml", "missing.yaml", "--json")
    said = json.loads(done.stdout)
    assert done.returncode == said["exit_code"] == 2
    assert [file["ok"] for file in said["files"]] == [True, False, False]
    assert [(p["file"], p["code"]) for p in said["problems"]] == [
        ("stale.yaml", "OSI-V201"),
        ("missing.yaml", "OSI-V001"),
    ]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "environment", "code"),
    [
        ([], {}, 2),
        (["--mode", "warn"], {}, 0),
        (["--mode", "off"], {}, 0),
        (["--no-catalog"], {}, 0),
        ([], {"OSIRIS_VALIDATION": "warn"}, 0),
        (["--mode", "strict"], {"OSIRIS_VALIDATION": "off"}, 2),
    ],
)
def test_the_mode_comes_from_flag_environment_and_project(
    run: Any, arguments: list[str], environment: dict[str, str], code: int
) -> None:
    assert run("validate", "stale.yaml", *arguments, **environment).returncode == code


def test_offline_says_what_it_could_not_check(run: Any) -> None:
    done = run("validate", "valid.yaml", "--offline")
    assert done.returncode == 0
    assert "OSI-V291" in done.stderr
    assert run("validate", "valid.yaml").returncode == 0
    known = run("validate", "stale.yaml", "--offline")
    assert known.returncode == 2
    assert "offline" in known.stderr


def test_fix_changes_the_file_and_says_so(run: Any, own_shop: Any) -> None:
    done = run("validate", "--fix", "stale.yaml")
    assert done.returncode == 0
    assert done.stdout == "stale.yaml:8:21: OSI-V201 mended: ordrs → orders\nstale.yaml: valid, 2 steps\n"
    assert (own_shop.root / "stale.yaml").read_text() == VALID


def test_faults_of_the_connections_file_are_shown_without_values(run: Any, own_shop: Any) -> None:
    connections = own_shop.root / "osiris_connections.yaml"
    connections.write_text(connections.read_text().replace("path: shop.duckdb", "paht: canary.duckdb"))
    done = run("validate", "valid.yaml")
    assert done.returncode == 5
    assert "osiris_connections.yaml:2:" in done.stderr
    assert "^" in done.stderr
    assert "canary" not in done.stderr


def test_a_pipeline_without_sql_never_loads_the_parser(own_shop: Any) -> None:
    code = (
        "import sys; from pathlib import Path; from osiris_core.session import Session; "
        "from osiris_core.validate import validate; session = Session.open(Path('.'), plugins=['duckdb']); "
        f"found = validate(Path({str(FAULTS / 'needs_itself.yaml')!r}), session, use_catalog=False); "
        "print(len(found.errors), [m for m in ('sqlglot', 'duckdb', 'pyarrow', 'jsonschema') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=own_shop.root, capture_output=True, text=True, check=True)
    assert done.stdout == "1 []\n"


@pytest.mark.parametrize(
    "name", ["yaml_alias_bomb", "many_at_once", "connection_unknown", "secret_in_a_step", "needs_cycle"]
)
def test_every_command_refuses_alike(run: Any, name: str) -> None:
    said = [run(command, FAULTS / f"{name}.yaml", "--json") for command in ("validate", "compile", "run", "plan")]
    problems = [json.loads(done.stdout)["problems"] for done in said]
    assert len({done.returncode for done in said}) == 1
    assert said[0].returncode == (5 if name == "connection_unknown" else 2)
    assert problems[0]
    assert all(found == problems[0] for found in problems)
    assert not any("hunter2-canary" in done.stdout + done.stderr for done in said)


# -- explain -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spelling", ["OSI-V201", "osi-v201", "V201", " v201 "])
def test_explain_prints_a_page(osiris: Osiris, spelling: str) -> None:
    done = osiris("explain", spelling)
    assert done.returncode == 0
    assert done.stdout.startswith("OSI-V201: The table does not exist\n")
    assert "wrong  table: ordrs\n  right  table: orders" in done.stdout


def test_explain_lists_every_code(osiris: Osiris) -> None:
    listed = osiris("explain").stdout
    assert all(f"  {code.code}  {code.title}\n" in listed for code in CODES.values())
    assert len(json.loads(osiris("explain", "--json").stdout)) == len(CODES)


def test_explain_of_no_code(osiris: Osiris) -> None:
    done = osiris("explain", "V2011")
    assert done.returncode == 2
    assert "did you mean OSI-V2" in done.stderr


# -- upgrade -------------------------------------------------------------------------------------------
OLD = 'oml_version: "0.1.0"  # old\nname: x\nsteps:\n- id: a-b\n  component: mysql.extractor\n  config: {table: t}\n'


def test_upgrade_prints_writes_and_saves(osiris: Osiris, tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text(OLD)
    printed = osiris("upgrade", file)
    assert printed.stdout.startswith('oml_version: "0.0.1"  # old\n')
    assert "no connection" in printed.stderr
    assert printed.returncode == 2, "something is left to do"
    assert file.read_text() == OLD
    osiris("upgrade", file, "--out", tmp_path / "new.yaml")
    assert (tmp_path / "new.yaml").read_text() == printed.stdout
    assert osiris("upgrade", file, "--out", tmp_path / "new.yaml").returncode == 2, "nothing is overwritten"
    said = json.loads(osiris("upgrade", file, "--write", "--json").stdout)
    assert file.read_text() == printed.stdout == said["text"]
    assert said["notes"][0]["todo"]
    again = osiris("upgrade", file)
    assert again.returncode == 2
    assert "OSI-V022" in again.stderr


def test_upgrade_of_what_is_not_yaml(osiris: Osiris, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("a: [")
    done = osiris("upgrade", tmp_path / "old.yaml")
    assert done.returncode == 2
    assert "OSI-V003" in done.stderr


def test_validate_sends_the_old_dialect_to_upgrade(run: Any, own_shop: Any) -> None:
    (own_shop.root / "old.yaml").write_text(OLD)
    done = run("validate", "old.yaml")
    assert done.returncode == 2
    assert "mend: osiris upgrade old.yaml" in done.stderr


CANARY = "hunter2-canary"
SECRETS = {
    "nested": VALID.replace('"@ware"', '"@shop"').replace("order_copy", f"big_orders, options: {{password: {CANARY}}}"),
    "closing": VALID.replace("@ware", "@shop") + f'    note:\n      password:\n        "{CANARY}\n',
    "colon": VALID + f"    note:\n      password:\n        a: {CANARY} b: c\n",
    "default": VALID.replace("table: order_copy", f'table: "${{DB_PASSWORD:-{CANARY}}}"'),
    "alias": VALID.replace('"@shop"', f"@shop password={CANARY}"),
    "union": VALID.replace(
        "config: {table: orders, columns: [id, customer_id, total]}",
        f"config: {{query: \"SELECT id FROM orders UNION SELECT * FROM postgres_scan('host=h password={CANARY}')\"}}",
    ),
    "call": VALID.replace(
        "config: {table: orders, columns: [id, customer_id, total]}",
        f"config: {{query: \"SELECT id FROM orders UNION SELECT * FROM mysql_scan('h', 'password={CANARY}')\"}}",
    ),
    "locking": VALID.replace(
        "config: {table: orders, columns: [id, customer_id, total]}",
        f'config: {{query: "SELECT id FROM orders FOR UPDATE OF orders password={CANARY}"}}',
    ),
    "list": VALID.replace("columns: [id, customer_id, total]", f"columns: password={CANARY}"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_no_mend_repeats_a_secret(name: str, run: Any, own_shop: Any) -> None:
    assert CANARY in SECRETS[name]
    (own_shop.root / "secret.yaml").write_text(SECRETS[name])
    for options in ([], ["--json"]):
        done = run("validate", "secret.yaml", *options)
        assert done.returncode == 2, done
        assert CANARY not in done.stdout + done.stderr
