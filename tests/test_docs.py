"""Every command that the documentation shows is run, in the order of its page, and must print what the page says.

A fenced block says what it is by its language, and by a comment before it, which readers do not see:

- ``console``: each line after ``$ `` is run; the lines below it are what it prints (``...`` stands for anything).
- ``bash``, ``python``: the block is run as it stands.
- ``<!-- test: file=NAME -->``: the block is written to NAME in the page's directory.
- ``<!-- test: sql=mysql -->`` (or ``postgres``): the block is run on the page's server.
- ``<!-- test: exit=N -->``: the last command ends with N instead of 0.
- ``<!-- test: not-run=REASON -->``: one of REASONS.

And for the page as a whole:

- ``<!-- test: servers -->``: the page's MySQL (shop, localhost:3306, user reader) and PostgreSQL (warehouse,
  localhost:5432, user loader) are real servers, whatever ports and passwords the page shows.
- ``<!-- test: checkout -->``: the page starts in a copy of this repository, with an empty virtual environment.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import pytest

from osiris_core.testing.cli import clean_environment
from osiris_core.testing.servers import MySQLDatabase, MySQLServer, PostgresDatabase, PostgresServer

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]
)
RUN = {"console", "bash", "python"}
SHOW = {"yaml", "sql", "json", "text", "toml", "ini"}
REASONS = {
    "cloud": "needs an account in a vendor's cloud",
    "downloads": "downloads hundreds of megabytes; the session databases of nox does the same",
    "itself": "is a session of nox; the first of them runs this test",
}
COMMAND = re.compile(r"^(\$ )?(osiris|pip|nox|git) ", re.M)
TIMEOUT_SECONDS = 300
_DIRECTIVE = re.compile(r"<!-- test: (?P<name>[a-z-]+)(?:=(?P<value>.+?))? -->")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)(?P<rest>.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it is, what it holds, and what the comments before it say."""

    page: str
    line: int
    language: str
    text: str
    directives: dict[str, str]

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command, what the page says it prints (None: nothing said), and its exit code."""

    script: str
    expected: str | None
    exit_code: int


@cache
def read_page(page: str) -> tuple[list[Block], set[str]]:
    """The blocks of a page and the page's own directives."""
    blocks: list[Block] = []
    page_directives: set[str] = set()
    pending: dict[str, str] = {}
    opened: tuple[int, str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate((ROOT / page).read_text("utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is not None:
            if fence and not fence["language"]:
                blocks.append(Block(page, opened[0], opened[1], "\n".join(lines) + "\n", pending))
                opened, pending, lines = None, {}, []
            else:
                lines.append(line.removeprefix(opened[2]))
        elif fence:
            opened = (number, fence["language"], fence["indent"])
        elif directive := _DIRECTIVE.search(line):
            name = directive["name"]
            if name in {"servers", "checkout"}:
                page_directives.add(name)
            else:
                pending[name] = directive["value"] or ""
    assert opened is None, f"{page}:{opened and opened[0]}: the block has no end"
    return blocks, page_directives


def commands(block: Block) -> list[Command]:
    """The commands of a block, in order; only the last one may end with another exit code than 0."""
    exit_code = int(block.directives.get("exit", "0"))
    if block.language == "python":
        return [Command(f"python - <<'END_OF_BLOCK'\n{block.text}END_OF_BLOCK", None, exit_code)]
    if block.language == "bash":
        return [Command(block.text, None, exit_code)]
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    last = len(found) - 1
    return [
        Command("\n".join(script), "\n".join(output), exit_code if index == last else 0)
        for index, (script, output) in enumerate(found)
    ]


def keep_first_group(value: str, match: re.Match[str]) -> str:
    """A replacement that is taken as it is: a password may hold what ``re.sub`` would read as a group."""
    return match[1] + value


class Shell:
    """Runs a page's commands one after the other; directory and exported variables last from one to the next."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self.environment = environment
        self.state = directory.parent / "shell-state"

    def run(self, script: str) -> tuple[int, str]:
        epilogue = f"\n__code=$?\n{{ pwd; env -0; }} >{shlex.quote(str(self.state))}\nexit $__code\n"
        done = subprocess.run(
            ["bash", "-c", f"set -e -o pipefail\ntrap {shlex.quote(epilogue)} EXIT\n{script}"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        directory, _, variables = self.state.read_text("utf-8").partition("\n")
        self.directory = Path(directory)
        self.environment = dict(pair.split("=", 1) for pair in variables.split("\0") if "=" in pair)
        return done.returncode, done.stdout


def matches(expected: str, actual: str) -> bool:
    """Whether the output is as expected: ``...`` stands for any text, and runs of blanks are equal."""
    pieces = [re.escape(" ".join(piece.split())) for piece in expected.split("...")]
    return re.fullmatch(r"\s*.*\s*".join(pieces), " ".join(actual.split()), re.DOTALL) is not None


@dataclass
class Servers:
    """The page's databases, and how its text changes so that it reaches them."""

    mysql: MySQLDatabase
    postgres: PostgresDatabase

    def adapt(self, text: str) -> str:
        """The page's well-known ports, accounts, databases and passwords become those of the test servers."""
        text = text.replace("host: localhost", "host: 127.0.0.1")
        for alias, account, port, database in (
            ("shop", "reader", 3306, self.mysql),
            ("warehouse", "loader", 5432, self.postgres),
        ):
            replaced = {
                rf"(\bport: ){port}\b": str(database.port),
                rf"(\buser: ){account}\b": database.user,
                rf"(\bdatabase: ){alias}\b": database.database,
                rf"(?m)^(export {alias.upper()}_PASSWORD=).*$": shlex.quote(database.password),
                rf"(?m)^({alias.upper()}_PASSWORD=).*$": f'"{database.password}"',
            }
            for pattern, value in replaced.items():
                text = re.sub(pattern, partial(keep_first_group, value), text)
        return text

    def run(self, kind: str, sql: str) -> None:
        (self.mysql if kind == "mysql" else self.postgres).execute(sql)


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> Iterator[Callable[[], Servers]]:
    """The page's databases, made on demand: most pages need none."""
    made: list[Servers] = []

    def make() -> Servers:
        mysql: MySQLServer = request.getfixturevalue("mysql_server")
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        made.append(Servers(mysql.create_database(), postgres.create_database()))
        return made[0]

    yield make
    for pair in made:
        request.getfixturevalue("mysql_server").drop_database(pair.mysql.database)
        request.getfixturevalue("postgres_server").drop_database(pair.postgres.database)


def copy_checkout(target: Path) -> None:
    """What a fresh clone would hold, with the changes that are not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    subprocess.run("git init --quiet && git add --all", cwd=target, shell=True, check=True)


def page_shell(directory: Path, in_checkout: bool) -> Shell:
    """The shell that a page starts with."""
    environment = clean_environment()
    for name in (
        ("COVERAGE_PROCESS_CONFIG", "VIRTUAL_ENV", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT") if in_checkout else ()
    ):
        environment.pop(name, None)  # they would point uv, or coverage, to the environment of the tests
    programs = Path(sys.executable).parent
    if in_checkout:
        copy_checkout(directory)
        home = directory.parent / "venv"
        venv.create(home, with_pip=True)
        environment["VIRTUAL_ENV"] = str(home)
        programs = home / "bin"
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    return Shell(directory, environment)


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language in RUN for b in read_page(page)[0])])
def test_commands_of_the_page_do_what_it_says(page: str, tmp_path: Path, servers: Callable[[], Servers]) -> None:
    blocks, page_directives = read_page(page)
    directory = tmp_path / "work"
    directory.mkdir()
    shell = page_shell(directory, "checkout" in page_directives)
    databases = servers() if "servers" in page_directives else None
    if databases:
        blocks = [replace(block, text=databases.adapt(block.text)) for block in blocks]
    for block in blocks:
        if "file" in block.directives:
            target = shell.directory / block.directives["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, "utf-8")
        elif "sql" in block.directives:
            assert databases is not None, f"{block.place}: the page has no servers"
            databases.run(block.directives["sql"], block.text)
        elif block.language in RUN and "not-run" not in block.directives:
            run_block(shell, block)


def run_block(shell: Shell, block: Block) -> None:
    for command in commands(block):
        code, output = shell.run(command.script)
        told = f"{block.place}: {command.script}\n{output}"
        assert code == command.exit_code, f"{told}\nended with {code}, not {command.exit_code}"
        if command.expected is not None:
            assert matches(command.expected, output), f"{told}\nis not what the page shows:\n{command.expected}"


@pytest.mark.parametrize("page", PAGES)
def test_no_block_of_the_page_escapes_the_tests(page: str) -> None:
    """Each block says what it is, and one that is not run says why."""
    text = (ROOT / page).read_text("utf-8")
    is_reference = "<!-- Made by scripts/generate_docs.py" in text  # shows usage, what is wrong, what is right
    for block in read_page(page)[0]:
        assert block.language in RUN | SHOW, f"{block.place}: the block's language is {block.language!r}"
        assert block.directives.get("not-run", "itself") in REASONS, f"{block.place}: not run, for no known reason"
        if block.language not in RUN and not is_reference:
            assert not COMMAND.search(block.text), f"{block.place}: hides a command"
    if not is_reference:
        assert not re.search(r"^(    |\t)(\$ )?(osiris|pip|nox|git) ", text, re.M), "an indented block hides a command"


@pytest.mark.parametrize("page", PAGES)
def test_links_of_the_page_lead_somewhere(page: str) -> None:
    """Links within the repository point to a file that is there, and to a heading that it has."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), f"{page}: the link {target} leads nowhere"
        if heading:
            assert heading in headings(path), f"{page}: {name or 'the page'} has no heading {heading}"


def headings(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_matching_is_neither_too_loose_nor_too_strict() -> None:
    assert matches("3 rows\nin ... ms", "3 rows  in 12 ms\n")
    assert not matches("3 rows", "3 rows and a warning")
    assert not matches("3 rows in ... ms", "4 rows in 12 ms")


def test_a_shell_keeps_directory_and_variables(tmp_path: Path) -> None:
    (tmp_path / "work" / "inner").mkdir(parents=True)
    shell = Shell(tmp_path / "work", clean_environment())
    assert shell.run("cd inner && export SEEN='a=b c'") == (0, "")
    assert shell.run('echo "$SEEN"; basename "$PWD"; exit 3') == (3, "a=b c\ninner\n")
