"""Real ``osiris`` processes: records, exit codes, run keys, signals, kills."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from osiris_core.cli.runs import removed_runs
from osiris_core.run.events import events_schema
from osiris_core.run.record import RunRecord


def check_record(record: Any) -> list[dict[str, Any]]:
    """Every event follows the schema and they are numbered without gaps; returns them."""
    events = record.events()
    validator = jsonschema_rs.Draft202012Validator(events_schema())
    for event in events:
        assert [error.message for error in validator.iter_errors(event)] == [], event
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["run_id"] for event in events} == {record.run_id}
    return list(events)


def simple(project: Any, rows: int = 5, read: dict[str, Any] | None = None, **write: Any) -> None:
    project.table("orders", rows)
    project.pipeline(
        project.write("load", "orders", create="if_missing", **write), project.read("orders", **(read or {}))
    )


def test_a_run_leaves_its_record(project: Any) -> None:
    simple(project)
    done = project.run("p.yaml")

    assert (done.returncode, done.stdout) == (0, "")
    assert "5 written" in done.stderr
    assert project.rows("load") == [1, 2, 3, 4, 5]
    (record,) = project.records()
    events = check_record(record)
    assert [event["event"] for event in events][-1] == "run_completed"
    assert sorted(path.name for path in record.path.iterdir()) == ["cfg", "events.jsonl", "report.html", "result.json"]
    result = record.result()
    assert (result["status"], result["pipeline"], result["order"]) == ("success", "copy", ["orders", "load"])
    assert result["steps"]["load"]["written"] == 5


def test_json_is_the_only_thing_on_stdout(project: Any) -> None:
    simple(project)
    done = project.run("p.yaml", "--json")
    value = json.loads(done.stdout)
    assert (value["status"], value["exit_code"], value["steps"]["load"]["written"]) == ("success", 0, 5)
    assert done.stderr == ""


def test_no_secret_reaches_the_record_or_the_terminal(project: Any) -> None:
    simple(project, password_in_error=True)
    done = project.run("p.yaml")
    assert done.returncode == 4
    assert "cannot log in with ***" in done.stderr
    files = [path for path in project.directory.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if b"pass-w" in path.read_bytes()] == []


def test_a_compiled_directory_runs_unchanged_or_not_at_all(project: Any) -> None:
    simple(project)
    compiled = project.osiris("compile", "p.yaml", "--out", "out", cwd=project.directory, env=project.env)
    assert compiled.returncode == 0, compiled.stderr
    assert project.run("out").returncode == 0
    copies = (project.records()[-1].path / "cfg").iterdir()
    assert all(copy.read_bytes() == (project.directory / "out" / "cfg" / copy.name).read_bytes() for copy in copies)

    config = project.directory / "out" / "cfg" / "load.json"
    config.write_text(config.read_text().replace("append", "replace"))
    edited = project.run("out")
    assert edited.returncode == 3
    assert "cfg/load.json is not what was compiled" in edited.stderr
    assert len(project.records()) == 1


def test_a_compiled_directory_runs_only_against_its_connections(project: Any) -> None:
    simple(project)
    project.osiris("compile", "p.yaml", "--out", "out", cwd=project.directory, env=project.env)
    connections = project.directory / "osiris_connections.yaml"
    connections.write_text(connections.read_text().replace('/data"', '/other"'))
    (project.directory / "other").mkdir()
    done = project.run("out")
    assert (done.returncode, "OSI-M008" in done.stderr) == (3, True)


def test_all_missing_secrets_are_named_before_anything_is_asked(project: Any) -> None:
    simple(project)
    connections = json.loads((project.directory / "osiris_connections.yaml").read_text())
    connections["connections"]["two"] = {"component": "lab", "directory": "${LAB_DIRECTORY}", "password": "${LAB_TWO}"}
    (project.directory / "osiris_connections.yaml").write_text(json.dumps(connections))
    project.pipeline(
        project.read("orders"), {**project.write("load", "orders", create="if_missing"), "connection": "@two"}
    )
    del project.env["LAB_PASSWORD"]
    done = project.run("p.yaml")
    assert done.returncode == 5
    assert all(name in done.stderr for name in ("LAB_PASSWORD", "LAB_DIRECTORY", "LAB_TWO"))


def test_a_secrets_file_goes_over_the_environment(project: Any) -> None:
    simple(project)
    (project.directory / "secrets.env").write_text("LAB_PASSWORD=from-the-file\n")
    del project.env["LAB_PASSWORD"]
    assert project.run("p.yaml").returncode == 5
    assert project.run("p.yaml", "--secrets-file", "secrets.env").returncode == 0


def test_a_schema_that_changed_after_the_compile_is_found_before_a_row_is_read(project: Any) -> None:
    simple(project)
    project.osiris("compile", "p.yaml", "--out", "out", cwd=project.directory, env=project.env)
    table = project.directory / "data" / "orders.json"
    table.write_text(table.read_text().replace('"name": "string"', '"title": "string"'))
    done = project.run("out")
    assert done.returncode == 4
    assert 'column "name" is gone (renamed to "title"?)' in done.stderr
    events = check_record(project.records()[-1])
    assert [event["event"] for event in events] == ["run_started", "step_skipped", "step_skipped", "run_failed"]
    assert events[-1]["error"]["code"] == "OSI-R002"


@pytest.mark.parametrize("on_drift", ["fail", "add_columns", "ignore_new"])
def test_a_new_column_of_the_source_is_up_to_on_drift(project: Any, on_drift: str) -> None:
    simple(project, on_drift=on_drift)
    project.osiris("compile", "p.yaml", "--out", "out", cwd=project.directory, env=project.env)
    table = project.directory / "data" / "orders.json"
    table.write_text(table.read_text().replace('"name": "string"', '"name": "string", "extra": "int64"'))
    done = project.run("out")
    assert done.returncode == (4 if on_drift == "fail" else 0)
    warnings = [event for event in check_record(project.records()[-1]) if event["event"] == "step_warning"]
    assert len(warnings) == (0 if on_drift == "fail" else 1)


def test_an_unreachable_system_is_exit_5(project: Any) -> None:
    simple(project, read={"fail": {"phase": "open", "kind": "connection"}})
    done = project.run("p.yaml")
    assert done.returncode == 5
    assert check_record(project.records()[-1])[-1]["event"] == "run_failed"


def test_a_bug_of_ours_is_exit_1(project: Any) -> None:
    """Provoked from outside: a plugin's module swaps a function of ours for a broken one."""
    simple(project)
    module = project.directory.parent / "site" / "osiris_lab.py"
    module.write_text(
        module.read_text() + "\nimport osiris_core.run.sink as sink\nsink._is_exactly_once = lambda *_: 1 // 0\n"
    )
    done = project.run("p.yaml")
    assert done.returncode == 1
    record = project.records()[-1]
    assert check_record(record)[-1]["error"]["code"] == "OSI-X001"
    assert "ZeroDivisionError" in (record.path / "traceback.txt").read_text()


def test_a_dry_run_moves_nothing_and_keeps_no_key(project: Any) -> None:
    simple(project)
    done = project.run("p.yaml", "--dry-run")
    assert done.returncode == 0
    assert "nothing was read or written" in done.stderr
    assert project.rows("load") == []
    assert list((project.directory / ".osiris").glob("unfinished/*/*.json")) == []
    check_record(project.records()[-1])


def test_usage_faults_are_exit_2(project: Any) -> None:
    simple(project)
    (project.directory / "out").mkdir()
    for arguments in (
        [],
        ["p.yaml", "--engine", "nowhere"],
        ["p.yaml", "--parallel", "0"],
        ["out"],
        ["out", "--param", "a=b"],
        ["missing.yaml"],
    ):
        done = project.run(*arguments)
        assert done.returncode == 2, (arguments, done.stderr)
    assert project.records() == []


@pytest.mark.parametrize("progress", ["auto", "never"])
def test_progress_is_for_terminals_only(project: Any, progress: str) -> None:
    import os
    import pty
    import subprocess

    from osiris_core.testing.cli import clean_environment, osiris_command

    simple(project, rows=60, read={"seconds_per_batch": 0.05})
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*osiris_command(), "run", "p.yaml", "--progress", progress],
        cwd=project.directory,
        env=clean_environment(project.env),
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert (b"\x1b[K" in seen, b"orders: " in seen) == ((True, True) if progress == "auto" else (False, False))
    assert b"60 written" in seen


# -- run keys ----------------------------------------------------------------------------------------------------
def test_a_failed_run_is_continued_under_its_key(project: Any) -> None:
    project.table("orders", 3)
    steps = [project.read("orders"), project.write("one", "orders", create="if_missing")]
    failing = {"phase": "stage", "times": 1}
    project.pipeline(*steps, project.write("two", "orders", create="if_missing", fail=failing))
    assert project.run("p.yaml").returncode == 4
    assert (project.rows("one"), project.rows("two")) == ([1, 2, 3], [])

    assert project.run("p.yaml").returncode == 0

    assert (project.rows("one"), project.rows("two")) == ([1, 2, 3], [1, 2, 3])
    first, second = (check_record(record)[0] for record in project.records())
    assert second["run_key"] == first["run_key"]
    assert (first["continues"], second["continues"]) == (None, first["run_id"])


def test_each_finished_run_has_its_own_key(project: Any) -> None:
    simple(project, rows=2)
    for _ in range(2):
        assert project.run("p.yaml").returncode == 0
    assert project.rows("load") == [1, 2, 1, 2]


def test_a_key_given_by_the_user_writes_once(project: Any) -> None:
    simple(project, rows=2)
    for _ in range(2):
        assert project.run("p.yaml", "--run-key", "2026-11-23").returncode == 0
    assert project.rows("load") == [1, 2]


def test_two_runs_at_once_do_not_share_a_key(project: Any) -> None:
    simple(project, rows=20, read={"seconds_per_batch": 0.1})
    processes = [project.start("p.yaml") for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    for process in processes:
        process.communicate()
    keys = {check_record(record)[0]["run_key"] for record in project.records()}
    assert len(keys) == 2


# -- signals and kills -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_rolls_back_and_says_so(project: Any, number: int, code: int) -> None:
    simple(project, rows=2000, read={"seconds_per_batch": 0.02})
    process = project.start("p.yaml", "--json")
    project.wait_for("step_started")
    asked = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert time.monotonic() - asked < 10
    assert json.loads(out)["status"] == "cancelled"
    assert project.rows("load") == []
    record = project.records()[-1]
    assert check_record(record)[-1]["event"] == "run_cancelled"
    assert record.result()["exit_code"] == code


def test_a_driver_that_does_not_stop_is_left_behind(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    simple(project, rows=10, read={"seconds_per_batch": 60})
    process = project.start("p.yaml")
    project.wait_for("step_started")
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert 2 < time.monotonic() - asked < 10
    assert check_record(project.records()[-1])[-1]["event"] == "run_cancelled"


def test_a_second_signal_ends_at_once(project: Any) -> None:
    simple(project, rows=10, read={"seconds_per_batch": 60})
    process = project.start("p.yaml")
    project.wait_for("step_started")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - asked < 2
    assert check_record(project.records()[-1])[-1]["event"] == "run_cancelled"


def test_a_signal_before_the_run_starts_leaves_no_record(project: Any) -> None:
    simple(project)
    process = project.start("p.yaml")
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode in (143, -signal.SIGTERM)
    assert project.rows("load") == []


def test_a_kill_anywhere_and_a_plain_rerun_give_the_exact_table(project: Any) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    simple(project, rows=30, read={"seconds_per_batch": 0.01})
    for _ in range(8):
        process = project.start("p.yaml")
        time.sleep(chance.uniform(0.1, 0.9))
        process.kill()
        process.communicate()
        before = len(project.rows("load"))
        assert before % 30 == 0
        unfinished = list((project.directory / ".osiris").glob("unfinished/*/*.json"))
        done = project.run("p.yaml")
        assert done.returncode == 0, (seed, done.stderr)
        # A kill after the commit is finished by the re-run, without writing again.
        expected = before if unfinished and before and "earlier run" in done.stderr else before + 30
        assert len(project.rows("load")) == expected, seed
        (project.directory / "data" / "load.json").unlink()


@pytest.mark.parametrize("phase", ["begin", "stage", "commit", "after_commit"])
def test_a_kill_at_each_transition_and_a_plain_rerun_give_the_exact_table(project: Any, phase: str) -> None:
    simple(project, fail={"phase": phase, "kind": "kill", "times": 1})
    killed = project.run("p.yaml")
    assert killed.returncode == -signal.SIGKILL
    assert project.rows("load") == ([1, 2, 3, 4, 5] if phase == "after_commit" else [])
    assert project.osiris("runs", "list", cwd=project.directory, env=project.env).stdout.count("unfinished") == 1

    done = project.run("p.yaml")

    assert done.returncode == 0, done.stderr
    assert project.rows("load") == [1, 2, 3, 4, 5]
    assert not list((project.directory / ".osiris").glob("unfinished/*/*.json"))


# -- runs and engines --------------------------------------------------------------------------------------------
def test_runs_can_be_listed_and_shown(project: Any) -> None:
    simple(project, rows=2)

    def osiris(*arguments: str) -> Any:
        done = project.osiris(*arguments, cwd=project.directory, env=project.env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(osiris("runs", "list", "--json")) == []
    project.run("p.yaml")
    run_id = project.records()[0].run_id
    assert json.loads(osiris("runs", "list", "--json")) == [
        {"run": run_id, "pipeline": "copy", "status": "success", "exit": 0, "written": 2}
    ]
    assert run_id in osiris("runs", "list")
    shown = json.loads(osiris("runs", "show", run_id[:-2], "--json"))
    assert shown["result"]["run_id"] == run_id
    assert len(shown["events"]) == 6
    assert "2 written" in osiris("runs", "show")
    assert osiris("runs", "report").strip().endswith("report.html")
    missing = project.osiris("runs", "show", "nonsense", cwd=project.directory, env=project.env)
    assert (missing.returncode, run_id in missing.stderr) == (2, True)


def test_old_runs_are_pruned_but_the_newest_and_what_may_go_on(project: Any) -> None:
    simple(project)
    runs = project.directory / ".osiris" / "runs"
    for _ in range(5):
        assert project.run("p.yaml").returncode == 0
    first, second, unfinished, young, newest = (record.path for record in project.records())
    unfinished.joinpath("result.json").unlink()
    for path in (first, second, unfinished):
        path.rename(runs / f"2016{path.name[4:]}")
    strange = {"notes of mine", "20160101T000000.000Z-of mine", "20160101T000000.000Z-00000a"}
    for name in strange - {"20160101T000000.000Z-00000a"}:
        runs.joinpath(name).mkdir()
        runs.joinpath(name, "result.json").write_text("{}")
    runs.joinpath("20160101T000000.000Z-00000a").symlink_to(newest)

    def prune(*arguments: str) -> Any:
        return project.osiris("runs", "prune", *arguments, cwd=project.directory, env=project.env)

    before = sorted(path.name for path in runs.iterdir())
    dry = prune("--dry-run")
    assert (dry.returncode, "2 of the runs older than 90 days would be removed" in dry.stdout) == (0, True)
    assert sorted(path.name for path in runs.iterdir()) == before
    done = json.loads(prune("--json").stdout)
    assert [name[:4] for name in done["removed"]] == ["2016", "2016"]
    left = {f"2016{unfinished.name[4:]}", young.name, newest.name, *strange}
    assert {path.name for path in runs.iterdir()} == left
    assert "kept 1 without a result" in prune().stdout
    assert prune("--older-than", "-1").returncode == 2

    time.sleep(0.01)  # all of them are old now, and the newest stays
    prune("--older-than", "0.0000001")
    assert {path.name for path in runs.iterdir()} == left - {young.name}


def test_a_run_that_cannot_be_removed_keeps_no_other(project: Any, tmp_path: Path) -> None:
    simple(project)
    assert project.run("p.yaml").returncode == 0
    blocked = RunRecord(tmp_path / "a file")
    blocked.path.touch()
    (record,) = project.records()
    removed, [reason] = removed_runs([blocked, record])
    assert (removed, record.path.exists()) == ([record], False)
    assert "Not a directory" in reason


def test_results_that_cannot_be_read_are_no_bug(project: Any) -> None:
    simple(project)
    for result in ("itself", "an object of nothing", "too deep"):
        assert project.run("p.yaml").returncode == 0, result
    itself, nothing, deep = (record.path / "result.json" for record in project.records())
    itself.unlink()
    itself.symlink_to(itself)
    nothing.write_text("{}")
    deep.write_text("[" * 200_000)
    listed = project.osiris("runs", "list", "--json", cwd=project.directory, env=project.env)
    assert [run["status"] for run in json.loads(listed.stdout)] == ["unfinished"] * 3


def test_engines_are_listed(project: Any) -> None:
    done = project.osiris("engines", "list", "--json", cwd=project.directory, env=project.env)
    assert [engine["name"] for engine in json.loads(done.stdout)] == ["local"]


# -- worker ------------------------------------------------------------------------------------------------------
def frame(project: Any, **changes: Any) -> str:
    value = {
        "v": 1,
        "run_id": "remote-1",
        "run_key": "k1",
        "connections": {
            "lab": {
                "family": "lab",
                "fields": {"directory": str(project.directory / "data"), "password": {"$secret": "x"}},
            }
        },
        "secrets": {"x": "pass-wörd-1234"},
        **changes,
    }
    return json.dumps(value) + "\n"


def worker(project: Any, stdin: str) -> Any:
    return project.run(
        "--manifest", "out", "--events", "-", "--secrets-from-stdin", stdin=stdin, env={"LAB_PASSWORD": ""}
    )


def test_a_worker_runs_what_it_is_sent(project: Any) -> None:
    simple(project)
    project.osiris("compile", "p.yaml", "--out", "out", cwd=project.directory, env=project.env)
    done = worker(project, frame(project))

    assert done.returncode == 0, done.stderr
    *events, last = map(json.loads, done.stdout.splitlines())
    assert last["result"]["steps"]["load"]["written"] == 5
    assert project.rows("load") == [1, 2, 3, 4, 5]
    record = project.directory / "out" / "record"
    kept = [json.loads(line) for line in (record / "events.jsonl").read_text().splitlines()]
    assert kept == events
    assert events[-1]["event"] == "run_completed"
    assert json.loads((record / "result.json").read_text()) == last["result"]
    assert "pass-w" not in done.stdout + done.stderr
    assert record.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in record.iterdir() if path.is_file()} == {0o600}


def test_a_worker_refuses_what_is_no_frame_without_repeating_it(project: Any) -> None:
    simple(project)
    for line in ("", "pass-wörd-1234\n", '{"v": 99, "secrets": {"x": "pass-wörd-1234"}}\n'):
        done = worker(project, line)
        assert done.returncode == 2
        assert "pass-w" not in done.stdout + done.stderr


def test_a_worker_on_a_lease_stops_when_its_parent_is_gone(project: Any) -> None:
    simple(project, rows=2000, read={"seconds_per_batch": 0.02})
    project.osiris("compile", "p.yaml", "--out", "out", cwd=project.directory, env=project.env)
    begun = time.monotonic()
    done = worker(project, frame(project, lease=True))
    assert done.returncode == 143
    assert time.monotonic() - begun < 15
    assert json.loads(done.stdout.splitlines()[-1])["result"]["status"] == "cancelled"
    assert project.rows("load") == []


def test_policies_are_asked_before_a_compiled_directory_runs(project: Any) -> None:
    simple(project)
    project.osiris("compile", "p.yaml", "--out", "out", cwd=project.directory, env=project.env)
    module = project.directory.parent / "site" / "osiris_lab.py"
    policy = """
@hookimpl
def osiris_check_manifest(manifest):
    from osiris_core.problems import Problem
    yield Problem("OSI-M090", "not on Mondays", ("steps",))
"""
    module.write_text(module.read_text() + policy)
    done = project.run("out")
    assert (done.returncode, "not on Mondays" in done.stderr) == (3, True)
    assert project.records() == []


def test_what_a_killed_run_spooled_is_removed_by_the_next(project: Any) -> None:
    project.table("orders", 5)
    fail = {"phase": "stage", "kind": "kill", "times": 1}
    project.pipeline(
        project.read("orders"),
        project.write("one", "orders", create="if_missing", fail=fail),
        project.write("two", "orders", create="if_missing"),
    )
    assert project.run("p.yaml").returncode == -signal.SIGKILL
    (killed,) = project.records()
    assert (killed.path / "work").stat().st_mode & 0o777 == 0o700
    assert (killed.path / "work" / "orders.arrows").stat().st_mode & 0o777 == 0o600
    assert project.run("p.yaml").returncode == 0
    assert not (killed.path / "work").exists()
    assert project.rows("one") == project.rows("two") == [1, 2, 3, 4, 5]
