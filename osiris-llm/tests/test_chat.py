"""``osiris chat`` with a scripted model on loopback: exact calls, trail, exit codes, drafts; nothing is ever run."""

from __future__ import annotations

import json
import os
import pty
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from select import select
from subprocess import Popen
from typing import Any

import duckdb
import pytest
from vendor_double import Answer, Double, vendor_double

from osiris_core import ConfigurationError, Session
from osiris_core.oml import load
from osiris_core.testing.cli import Osiris, clean_environment, osiris_command
from osiris_llm.author import Author, Authored
from osiris_llm.chat import marked, tell, validator
from osiris_llm.choose import choose
from osiris_llm.provider import SchemaLimits
from osiris_llm.providers.openai import CompatibleProvider

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MOVE = {
    "from": "orders",
    "columns": [],
    "where": [],
    "renames": [],
    "incremental": False,
    "to": "lake",
    "table": "orders",
    "mode": "append",
    "keys": [],
}


def form(**changes: object) -> dict[str, Any]:
    return {"asked": "orders", "answer": {"moves": [{**MOVE, **changes}]}}


WRONG = {"asked": "orders", "answer": {"moves": [{**MOVE, "from": "ordrs"}]}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute("CREATE TABLE orders (id BIGINT PRIMARY KEY, status VARCHAR, card VARCHAR)")
        database.execute("INSERT INTO orders VALUES (1, 'paid', 'row-canary')")
    duckdb.connect(str(tmp_path / "lake.duckdb")).close()
    (tmp_path / "osiris_connections.yaml").write_text(
        "connections:\n  shop: {component: duckdb, path: shop.duckdb}\n  lake: {component: duckdb, path: lake.duckdb}\n"
    )
    (tmp_path / "osiris.yaml").write_text("validation: strict\n")
    return tmp_path


def environment(double: Double) -> dict[str, str]:
    return {
        "OSIRIS_LLM_BASE_URL": f"{double.url}/v1",
        "OSIRIS_LLM_API_KEY": "key-canary",
        "OSIRIS_PLUGINS": "duckdb,llm",
    }


@pytest.fixture
def write(project: Path) -> Iterator[Callable[..., Any]]:
    def call(double: Double, request: str, earlier: Any = None, **options: Any) -> Any:
        session = Session.open(project, plugins=["duckdb", "llm"], validation_mode="strict")
        provider = CompatibleProvider(base_url=f"{double.url}/v1")
        provider.limits = options.pop("limits", provider.limits)
        author = Author(session, provider, validator(session), now=lambda: NOW, **options)
        return author.write(request, earlier)

    yield call


def trail_of(project: Path) -> Path:
    (directory,) = (project / ".osiris" / "chats").iterdir()
    return directory


def test_right_at_once_is_one_call_and_a_file_that_validates(osiris: Osiris, project: Path) -> None:
    with vendor_double([form()]) as double:
        done = osiris("chat", "append orders to lake", "--out", "p.yaml", "--json", env=environment(double))
    result = json.loads(done.stdout)
    assert (done.returncode, result["status"], result["attempts"]) == (0, "written", 1)
    assert len(double.requests) == 1
    assert osiris("validate", "p.yaml").returncode == 0
    assert not (project / ".osiris" / "runs").exists()


def test_wrong_once_is_mended_with_only_the_problems_and_the_answer(write: Callable[..., Any]) -> None:
    with vendor_double([WRONG, form()]) as double:
        result = write(double, "append orders to lake")
    assert (result.status, result.attempts) == ("written", 2)
    first, second = (body["messages"] for body in double.bodies)
    assert second[:2] == first
    assert [turn["role"] for turn in second[2:]] == ["assistant", "user"]
    assert "ordrs" in second[3]["content"]
    assert result.usage.prompt_tokens == 200


def test_always_wrong_ends_after_the_retries_with_the_best_draft_marked(osiris: Osiris, project: Path) -> None:
    invalid = form(where=[{"column": "id", "op": "=", "value": "paid"}])
    with vendor_double([invalid]) as double:
        done = osiris(
            "chat", "append paid orders to lake", "--out", "p.yaml", "--retry-attempts", "1", env=environment(double)
        )
    assert done.returncode == 2
    assert len(double.requests) == 2
    assert "does not compare" in done.stderr


def test_never_parseable_ends_in_exit_2_and_no_file(osiris: Osiris, project: Path) -> None:
    with vendor_double(["I would love to help!"]) as double:
        done = osiris("chat", "append orders to lake", "--out", "p.yaml", env=environment(double))
    assert done.returncode == 2
    assert len(double.requests) == 3
    assert not (project / "p.yaml").exists()


def test_the_trail_keeps_each_attempt_and_no_secret(osiris: Osiris, project: Path) -> None:
    with vendor_double([WRONG, form()]) as double:
        osiris("chat", "append orders to lake, not key-canary", "--out", "p.yaml", env=environment(double))
    trail = trail_of(project)
    names = {path.name for path in trail.iterdir()}
    assert names == {
        "events.jsonl",
        *(f"{n}-{part}" for n in (1, 2) for part in ("prompt.json", "answer.txt", "problems.json")),
    }
    events = [json.loads(line) for line in (trail / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["attempt", "attempt", "finished"]
    assert events[0]["problems"] > 0 == events[1]["problems"]
    kept = "".join(path.read_text() for path in trail.iterdir())
    assert "key-canary" not in kept


def test_no_row_no_key_and_no_comment_is_sent(osiris: Osiris, project: Path) -> None:
    with duckdb.connect(str(project / "shop.duckdb")) as database:
        database.execute("COMMENT ON TABLE orders IS 'comment-canary'")
    with vendor_double([form()]) as double:
        osiris("chat", "append orders to lake", "--json", env=environment(double))
        osiris("chat", "append orders to lake", "--json", "--comments", env=environment(double))
    plain, asked = (json.dumps(body) for body in double.bodies)
    assert "row-canary" not in plain + asked
    assert "key-canary" not in plain + asked
    assert "comment-canary" not in plain
    assert "comment-canary" in asked


def test_a_column_added_a_second_ago_is_in_the_prompt_and_the_schema(write: Callable[..., Any], project: Path) -> None:
    with vendor_double([form()]) as double:
        write(double, "append orders to lake")
        with duckdb.connect(str(project / "shop.duckdb")) as database:
            database.execute("ALTER TABLE orders ADD COLUMN added_now INTEGER")
        write(double, "append orders to lake")
    before, after = double.bodies
    assert "added_now" not in json.dumps(before)
    assert "added_now" in after["messages"][0]["content"]
    columns = after["response_format"]["json_schema"]["schema"]["$defs"]["column"]["enum"]
    assert "added_now" in columns


def test_equal_catalogues_give_equal_bytes_before_the_request(write: Callable[..., Any]) -> None:
    with vendor_double([form()]) as double:
        write(double, "append orders to lake")
        write(double, "replace orders in lake")
    first, second = double.bodies
    assert first["messages"][0] == second["messages"][0]
    assert first["response_format"] == second["response_format"]


def test_a_follow_up_amends_the_form_so_far(write: Callable[..., Any]) -> None:
    merged = form(mode="merge", where=[{"column": "status", "op": "=", "value": "paid"}])
    with vendor_double([form(), merged]) as double:
        first = write(double, "append orders to lake")
        second = write(double, "only status paid ones, and merge on id", first)
    assert first.form in double.bodies[1]["messages"][1]["content"]
    assert "merge_keys: [id]" in second.oml
    assert "paid" in second.oml


def test_a_schema_refused_for_its_size_steps_down_and_says_so(write: Callable[..., Any], project: Path) -> None:
    with vendor_double([Answer("schema too large", status=400), form()]) as double:
        result = write(double, "append orders to lake")
    assert result.status == "written"
    definitions = [body["response_format"]["json_schema"]["schema"]["$defs"] for body in double.bodies]
    assert "enum" in definitions[0]["column"]
    assert "enum" not in definitions[1]["column"]
    assert "enum" in definitions[1]["table"]
    assert '"schema_refused"' in (trail_of(project) / "events.jsonl").read_text()


def test_a_stated_limit_is_stepped_down_before_asking(write: Callable[..., Any]) -> None:
    with vendor_double([form()]) as double:
        write(double, "append orders to lake", limits=SchemaLimits(enum_values=2))
    assert "enum" not in double.bodies[0]["response_format"]["json_schema"]["schema"]["$defs"]["column"]


def test_an_invented_table_is_caught_here_when_the_provider_lets_it_through(write: Callable[..., Any]) -> None:
    with vendor_double([WRONG]) as double:
        result = write(double, "append orders to lake", retries=0)
    assert result.status == "failed"
    assert "ordrs" in result.problems[0]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"asked": "x", "answer": {"cannot": "ambiguous", "question": "which?"}}, "question"),
        ({"asked": "x", "answer": {"cannot": "unsupported", "question": "none"}}, "cannot"),
    ],
)
def test_cannot_is_exit_2_with_its_question(osiris: Osiris, project: Path, answer: dict[str, Any], status: str) -> None:
    with vendor_double([answer]) as double:
        done = osiris("chat", "append orders to lake", "--json", env=environment(double))
    result = json.loads(done.stdout)
    assert (done.returncode, result["status"]) == (2, status)
    assert result["message"] == answer["answer"]["question"]


def test_a_model_that_declines_and_one_that_is_cut_off(write: Callable[..., Any]) -> None:
    with vendor_double([Answer("I must not", finish="refusal")]) as double:
        assert write(double, "append orders to lake").status == "cannot"
    with vendor_double([Answer('{"asked"', finish="length"), form()]) as double:
        assert write(double, "append orders to lake").attempts == 2


def test_what_a_model_wrote_stays_in_the_comment_of_a_marked_draft_and_off_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile = 'bad "k\rsteps: [{id: evil}]\n\u2028x: 1\x1b[2J\u202e"'
    result = Authored("failed", oml="name: x\n", problems=(hostile,), message=hostile, notes=(hostile,))
    document = load(marked(result))
    assert document.value == {"name": "x"}
    tell(result)
    assert not {"\r", "\x1b", "\u202e", "\u2028"} & set(capsys.readouterr().err)


TRICKS = ["o\u202er\x1b[2Jd\u2066", "o\u200br\U000e0001d\ufeff", "o\x9bd\x85\u2028x: 1", "o\nsteps: 1"]


@pytest.mark.parametrize("name", TRICKS)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_name_plays_no_trick_on_a_terminal_and_stays_itself(
    osiris: Osiris, project: Path, name: str, options: list[str]
) -> None:
    with duckdb.connect(str(project / "shop.duckdb")) as database:
        database.execute('CREATE TABLE "' + name + '" (id BIGINT PRIMARY KEY, "' + name + '" VARCHAR)')
    answer = form(**{"from": name, "table": name, "mode": "merge", "columns": ["id", name]})
    with vendor_double([answer]) as double:
        done = osiris("chat", f'merge "{name}" to lake as "{name}"', *options, env=environment(double))
    said = done.stdout + done.stderr
    assert done.returncode in (0, 2), said
    assert all(sign.isprintable() or sign == "\n" for sign in said), [s for s in said if not s.isprintable()]
    oml = json.loads(done.stdout)["oml"] if options else done.stdout
    if oml:
        names = [step["config"].get("table") for step in load(oml, "p.yaml").value["steps"]]
        assert name in names, "an escape of YAML, no other name"


def test_a_lone_surrogate_is_no_name_and_no_crash(osiris: Osiris, project: Path) -> None:
    answer = json.dumps(form(table="o\ud800"))
    for options in ([], ["--json"], ["--out", "p.yaml", "--force"]):
        with vendor_double([Answer(answer)]) as double:
            done = osiris("chat", "append orders to lake", *options, env=environment(double))
        assert done.returncode in (0, 2), done.stderr
        assert "Traceback" not in done.stderr


def test_in_a_conversation_names_play_no_tricks_either(project: Path) -> None:
    name = "orders\u202e\x1b[2J"
    with duckdb.connect(str(project / "shop.duckdb")) as database:
        database.execute('CREATE TABLE "' + name + '" (id BIGINT PRIMARY KEY)')
    hostile = form(**{"from": name, "table": "evil\u202e\x1b[2J"})
    with vendor_double([hostile, Answer("no\x1b[2J\u202e", finish="refusal")]) as double:
        screen = _converse(project, environment(double), ["append orders to lake", "once more", "/show", "/quit"])
    assert not {"\x1b", "\u202e"} & set(screen), screen


def test_an_answer_of_nothing_but_brackets_is_one_more_failed_attempt(write: Callable[..., Any]) -> None:
    with vendor_double(["[" * 100_000]) as double:
        assert write(double, "append orders to lake", retries=0).status == "failed"


def test_a_key_that_is_not_set_is_exit_5_with_the_mend(osiris: Osiris, project: Path) -> None:
    done = osiris("chat", "append orders to lake", env={"OSIRIS_PLUGINS": "duckdb,llm", **NO_KEYS})
    assert done.returncode == 5
    assert "OPENAI_API_KEY" in done.stderr


NO_KEYS = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"), "")


def test_the_provider_is_chosen_by_flag_then_config_then_key(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NO_KEYS, "OSIRIS_LLM_PROVIDER", "OSIRIS_LLM_MODEL", "OSIRIS_LLM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    session = Session.open(project, plugins=["llm"])
    with pytest.raises(ConfigurationError, match="no LLM provider has a key"):
        choose(session)
    with pytest.raises(ConfigurationError) as unknown:
        choose(session, "opnai")
    assert "openai" in unknown.value.hint
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    assert choose(session).name == "anthropic"
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert choose(session).name == "openai"
    assert choose(session, "anthropic", "some-model").model == "some-model"
    (project / "osiris.yaml").write_text("provider: {name: anthropic, model: from-config}\n")
    configured = Session.open(project, plugins=["llm"])
    assert choose(configured).model == "from-config"
    with pytest.raises(ConfigurationError, match="provider/model"):
        choose(session, "instructor", "no-slash")


def test_bad_usage_is_exit_2(osiris: Osiris, project: Path) -> None:
    with vendor_double([form()]) as double:
        env = environment(double)
        (project / "p.yaml").write_text("mine\n")
        assert osiris("chat", "append orders to lake", "--out", "p.yaml", env=env).returncode == 2
        assert (project / "p.yaml").read_text() == "mine\n"
        assert osiris("chat", "append orders to lake", "--out", "p.yaml", "--force", env=env).returncode == 0
        assert osiris("chat", env=env).returncode == 2
        assert osiris("chat", "x", "--retry-attempts", "99", env=env).returncode == 2
        assert osiris("chat", "x", env={**env, "OSIRIS_VALIDATE_RETRY_ATTEMPTS": "many"}).returncode == 5


def test_on_a_terminal_it_converses_and_saves_only_when_asked(project: Path) -> None:
    merged = form(mode="merge")
    with vendor_double([form(), merged]) as double:
        screen = _converse(
            project,
            environment(double),
            ["/show", "append orders to lake", "and merge instead of append", "/show", "/save p.yaml", "/new", "/quit"],
        )
    assert "there is no pipeline yet" in screen
    assert "write_mode: merge" in (project / "p.yaml").read_text()
    assert not (project / ".osiris" / "runs").exists()


def _converse(project: Path, env: dict[str, str], lines: list[str]) -> str:
    """Type ``lines``, each after a prompt, into a real process on a pseudo-terminal; what it showed."""
    controller, terminal = pty.openpty()
    process = Popen(
        [*osiris_command(), "chat"],
        cwd=project,
        env=clean_environment({**env, "TERM": "dumb"}),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    deadline = time.monotonic() + 120
    seen = b""
    for number, line in enumerate(lines, 1):
        while seen.count("›".encode()) < number:
            chunk = _read(controller, deadline)
            assert chunk, seen
            seen += chunk
        os.write(controller, f"{line}\n".encode())
    while chunk := _read(controller, deadline):
        seen += chunk
    os.close(controller)
    assert process.wait(30) == 0, seen
    return seen.decode(errors="replace")


def _read(terminal: int, deadline: float) -> bytes:
    """What the terminal shows next; nothing once the other side has ended."""
    ready, _, _ = select([terminal], [], [], max(0.0, deadline - time.monotonic()))
    assert ready, "the conversation went silent"
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("request_text", "offered"), [("append orders to lake", "moves"), ("the sum of id per status", "sql")]
)
def test_sql_is_offered_where_no_move_can_say_it_and_moves_elsewhere(
    write: Callable[..., Any], request_text: str, offered: str
) -> None:
    with vendor_double([form()]) as double:
        write(double, request_text)
    body = double.bodies[0]
    branches = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["anyOf"]
    assert [set(branch["properties"]) for branch in branches] == [{"cannot", "question"}, {offered}]
    assert ('{"sql"' in body["messages"][0]["content"]) == (offered == "sql")


def test_beyond_one_prompt_the_model_picks_names_first_and_the_user_is_told(
    project: Path, write: Callable[..., Any]
) -> None:
    """The picked table shares no word with the request and comes last by name."""
    with duckdb.connect(str(project / "shop.duckdb")) as database:
        for number in range(700):
            database.execute(f"CREATE TABLE a{number:03} (id{number} BIGINT PRIMARY KEY, note{number} VARCHAR)")
        database.execute("CREATE TABLE zz_lorries (plate VARCHAR PRIMARY KEY)")
    with vendor_double([{"tables": ["zz_lorries", "no_such_table"]}, form()]) as double:
        result = write(double, "append orders to lake")
    names, attempt = double.bodies
    assert "zz_lorries\n" in names["messages"][0]["content"]
    assert "zz_lorries: plate*" in attempt["messages"][0]["content"]
    assert "a699:" not in attempt["messages"][0]["content"]
    assert (result.status, result.attempts, result.usage.prompt_tokens) == ("written", 1, 200)
    assert any("did not fit and were left out" in note for note in result.notes)
    assert (trail_of(project) / "names-answer.txt").exists()
