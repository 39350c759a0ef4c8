"""Whoever follows the shown mend to the letter ends with a valid pipeline: no message tells what fails afterwards.

``follow`` does what a person does who sees nothing but the file and the message, and understands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from osiris_core.catalog.store import Catalogs
from osiris_core.connections import Connections
from osiris_core.errors import ConnectError, SecretError
from osiris_core.oml import Document, load, load_file
from osiris_core.oml.edit import apply_fixes
from osiris_core.oml.editor import Editor
from osiris_core.oml.keboola import upgrade
from osiris_core.problems import Path as Place
from osiris_core.problems import Problem
from osiris_core.validate import validate

FAULTS = Path(__file__).parents[1] / "faults"
NAMES = sorted(path.stem for path in FAULTS.glob("*.yaml"))
#: These want a person: bytes to save anew, SQL to think about, a choice, faults that hide each other.
FOR_PEOPLE = {
    "column_of_another_type", "many_at_once", "needs_cycle", "parameter_from_the_environment", "parameter_unknown",
    "secret_as_a_parameter", "secret_in_a_parameter", "secret_in_a_url",
    "sql_condition_is_more", "sql_misspelt", "sql_parameter_in_quotes",
    "sql_two_statements", "yaml_not_utf8", "yaml_too_deep",
}  # fmt: skip
HEAD = 'oml_version: "0.0.1"\nname: x\nsteps:\n'
READER = (
    '  - {id: orders, component: duckdb.table, mode: read, connection: "@shop", '
    "config: {table: orders, columns: [id, customer_id, total]}}\n"
)
WRITER = 'id: load, component: duckdb.table, mode: write, connection: "@ware", needs: [orders]'
MERGE = "write_mode: merge, merge_keys"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FOR_PEOPLE])
def test_the_mend_that_is_shown_mends(name: str, shop: Any) -> None:
    for alias, component in (("files", "file.table"), ("shop", "duckdb.table"), ("ware", "duckdb.table")):
        shop.session.catalogs.get(alias, component)  # of what a file does not name, a mend knows what is cached
    document = load_file(FAULTS / f"{name}.yaml", f"{name}.yaml")
    problems = validate(document, shop.session, mode="strict").problems
    for _ in range(len(problems)):
        document = load(_followed(problems, document), document.file)
        validation = validate(document, shop.session, mode="strict")
        problems = [problem for problem in validation.problems if problem.severity == "error"]
        if not problems:
            break
    assert not problems, (problems, document.text)


def test_most_faults_can_be_mended_without_thinking() -> None:
    assert set(NAMES) >= FOR_PEOPLE
    assert len(FOR_PEOPLE) < len(NAMES) / 5


def _followed(problems: list[Problem], document: Document) -> str:
    """The text after the first mend that can be followed."""
    for problem in problems:
        for rule in RULES:
            text = rule(problem, document)
            if text is not None and text != document.text:
                return text
    raise AssertionError(f"nothing to follow: {problems}")


# -- what a person reads -------------------------------------------------------------------------------
def test_the_changes_that_are_shown_are_those_of_the_upgrade(shop: Any) -> None:
    document = load_file(FAULTS / "version_keboola.yaml", "version_keboola.yaml")
    [problem] = validate(document, shop.session, mode="strict").problems
    by_hand = other_lines(problem, document)
    assert by_hand == upgrade(document).text.replace("mysql.table", "duckdb.table")  # which fits @shop
    assert "write duckdb.table for mysql.table, as @shop is of duckdb" in problem.hint


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("oml_version: '0.0.1'\nname: x\n", "OSI-V101"),
        (
            f"{HEAD}{READER}  - {{{WRITER}, config: {{table: order_copy, write_mode: merge, merge_keys: null}}}}\n",
            "OSI-V103",
        ),
        (f"{HEAD}{READER}  - {{{WRITER}, config: null}}\n", "OSI-V103"),
    ],
)
def test_what_is_missing_or_null_is_shown_as_it_should_be(text: str, code: str, shop: Any) -> None:
    problems = shop.check(text).problems
    found = next(problem for problem in problems if problem.code == code)
    assert found.example
    assert found.to_json()["example"] == found.example


def test_a_mistake_in_the_columns_is_not_repeated_in_the_sql(shop: Any) -> None:
    text = HEAD + READER.replace("[id, customer_id, total]", "[id, kundennummer, total]")
    text += "  - {id: sums, component: duckdb.sql, mode: transform, needs: [orders], "
    text += 'config: {sql: "SELECT customer_id FROM orders"}}\n'
    errors = [problem.code for problem in shop.check(text).problems if problem.severity == "error"]
    assert errors == ["OSI-V202"]


@pytest.mark.parametrize("write", ["append", "replace", "merge, merge_keys: [id]"])
def test_a_view_gives_way_to_a_new_table_that_validates_clean(write: str, shop: Any) -> None:
    writer = WRITER.replace("@ware", "@shop")
    text = f"{HEAD}{READER}  - {{{writer}, config: {{table: big_orders, write_mode: {write}}}}}\n"
    problems = shop.check(text).problems
    problem = next(problem for problem in problems if problem.code == "OSI-V216")
    assert "big_orders_copied" in problem.hint
    mended = entry(problem, load(text))
    assert mended is not None
    assert shop.check(mended).problems == []


def test_no_table_to_write_is_one_that_the_pipeline_reads(shop: Any) -> None:
    writer = WRITER.replace("@ware", "@shop")
    text = f"{HEAD}{READER}  - {{{writer}, config: {{table: ordrs, write_mode: append}}}}\n"
    [problem] = shop.check(text).problems
    assert problem.code == "OSI-V201"
    assert problem.fix is None
    assert "orders" not in problem.hint.replace("ordrs", "")


CUSTOMERS = (
    '  - {id: customers, component: duckdb.table, mode: read, connection: "@shop", config: {table: customers}}\n'
)
BOTH = f"  - {{{WRITER.replace('[orders]', '[orders, customers]')}, config: {{table: order_copy, {MERGE}: [id]}}}}\n"


def test_of_two_steps_the_one_that_fits_the_target_is_named(shop: Any) -> None:
    [problem] = shop.check(HEAD + READER + CUSTOMERS + BOTH).problems
    assert problem.code == "OSI-V118"
    assert "write needs: [orders], whose columns fit order_copy" in problem.hint
    assert 'remove the step "customers", which nothing else uses' in problem.hint


def test_two_steps_that_do_not_fit_the_target_are_joined(shop: Any) -> None:
    text = HEAD + READER.replace("total]", "note]") + CUSTOMERS + BOTH
    [problem] = shop.check(text).problems
    assert "JOIN customers ON orders.customer_id = customers.id" in problem.example
    mended = new_step(problem, load(text))
    assert mended is not None
    assert shop.check(mended).problems == []


def test_two_steps_that_nothing_joins_get_no_made_up_sql(shop: Any) -> None:
    [problem] = shop.check(HEAD + READER.replace("[id, customer_id, total]", "[note]") + CUSTOMERS + BOTH).problems
    assert (problem.code, problem.example) == ("OSI-V118", "")


def test_many_aliases_are_one_problem(shop: Any) -> None:
    text = HEAD + READER.replace("[id, customer_id, total]", "&a [id, total]")
    text += "".join(READER.replace("id: orders", f"id: o{n}").replace("[id, customer_id, total]", "*a") for n in "123")
    found = [problem for problem in shop.check(text).problems if problem.code == "OSI-V007"]
    assert [problem.message for problem in found] == ["anchors (&name) are not allowed, here and in 3 more places"]


def test_a_skeleton_overwrites_no_table(own_shop: Any) -> None:
    with duckdb.connect(str(own_shop.root / "shop.duckdb")) as database:
        database.execute("CREATE TABLE orders_copied (id BIGINT)")
    own_shop.session.catalogs.get("shop", "duckdb.table")
    [problem] = own_shop.check("orders\n").problems
    assert "name: orders\n" in problem.example
    assert "orders_copied_2" in problem.example


def test_what_was_not_checked_is_told(shop: Any) -> None:
    text = HEAD + READER.replace("duckdb.table", "duckdb.tabels_x")
    text += f"  - {{{WRITER}, config: {{table: order_copy, write_mode: merge, merge_keys: [id]}}}}\n"
    [note] = shop.check(text).notes
    assert "steps orders, load" in note
    assert shop.check(text.replace("duckdb.tabels_x", "duckdb.table")).notes == ()


def test_no_mend_repeats_credentials(shop: Any) -> None:
    text = f"{HEAD}{READER}  - {{{WRITER}}}\n".replace("[orders]", '[orders, orders, "https://app:hunter2@db/x"]')
    problems = shop.check(text).problems
    assert {"OSI-V116", "OSI-V301"} <= {problem.code for problem in problems}
    assert not any("hunter2" in problem.hint + problem.example for problem in problems)


def test_a_reference_with_a_default_names_nothing_of_the_default(shop: Any) -> None:
    text = HEAD + READER.replace("table: orders", 'table: "${DB_NAME:-hunter2}"')
    problem = next(problem for problem in shop.check(text).problems if problem.code == "OSI-V134")
    assert "params.db_name}" in problem.hint
    assert "hunter2" not in problem.hint + problem.example


def test_a_long_file_of_the_other_dialect_is_not_compared_line_by_line(shop: Any) -> None:
    text = (FAULTS / "version_keboola.yaml").read_text()
    short = next(p for p in shop.check(text).problems if p.code == "OSI-V021")
    assert short.example
    long = next(p for p in shop.check(text + "\n# more" * 401).problems if p.code == "OSI-V021")
    assert "osiris upgrade pipeline.yaml --write" in long.hint
    assert long.example == ""


def test_no_system_is_asked_for_a_mend_when_none_may_be(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(Catalogs, "get", asked)
    text = HEAD + READER.replace('connection: "@shop", ', "")
    [problem] = shop.check(text, "off").problems
    assert (problem.code, problem.hint) == ("OSI-V123", 'add one of: connection: "@shop", connection: "@ware"')


def test_no_system_that_the_file_does_not_name_is_connected_to_for_a_mend(
    own_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    resolve = Connections.resolve

    def resolved(self: Connections, aliases: Any, *args: Any, **kwargs: Any) -> Any:
        aliases = list(aliases)
        asked.extend(aliases)
        return resolve(self, aliases, *args, **kwargs)

    monkeypatch.setattr(Connections, "resolve", resolved)
    sql = READER.replace("duckdb.table", "duckdb.sql").replace("mode: read", "mode: transform")
    texts = ["orders\n", HEAD + READER.replace('connection: "@shop", ', ""), HEAD + READER.replace("@shop", "@shopp")]
    for text in (*texts, HEAD + sql):
        assert own_shop.check(text).problems
    assert asked == []
    own_shop.session.catalogs.get("shop", "duckdb.table")
    asked.clear()
    validation = own_shop.check(texts[1])
    assert "which has the table orders" in validation.problems[0].hint
    [note] = validation.notes
    assert note.startswith("tables, columns and SQL of the step orders could not all be checked")
    assert asked == []


def test_a_system_that_does_not_answer_is_asked_once_for_mends(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def silent(self: Catalogs, alias: str | None, *args: Any, **kwargs: Any) -> None:
        calls.append(alias)
        raise ConnectError("nobody is there")

    monkeypatch.setattr(Catalogs, "get", silent)
    step = READER.replace('connection: "@shop", ', "")
    named = '  # connection: "@shop"\n'
    shop.check(HEAD + named + "".join(step.replace("id: orders", f"id: s{number}") for number in range(20)))
    assert calls == ["shop"]


def test_a_missing_secret_says_that_a_run_would_fail(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unset(*args: Any, **kwargs: Any) -> None:
        raise SecretError("1 environment variable is not set: SHOP_PASSWORD", names=["SHOP_PASSWORD"])

    monkeypatch.setattr(Catalogs, "get", unset)
    validation = shop.check(HEAD + READER, "warn")
    problem = next(problem for problem in validation.problems if problem.code == "OSI-V290")
    assert "osiris run exits 5" in problem.hint
    assert "export SHOP_PASSWORD=" in problem.hint
    assert validation.exit_code == 0


# -- rules ---------------------------------------------------------------------------------------------
def certain(problem: Problem, document: Document) -> str | None:
    """What ``--fix`` does."""
    return apply_fixes(document.text, [problem.fix])[0] if problem.fix else None


def whole_file(problem: Problem, document: Document) -> str | None:
    """An example that is a pipeline takes the file's place."""
    whole = problem.example.startswith("oml_version") and "\nsteps:" in problem.example
    return problem.example + "\n" if whole else None


def first_line(problem: Problem, document: Document) -> str | None:
    """The version stands above everything."""
    missing = problem.example.startswith("oml_version") and "oml_version" not in (document.value or {})
    return f"{problem.example}\n{document.text}" if missing else None


def new_step(problem: Problem, document: Document) -> str | None:
    """A step is added, and named in needs."""
    named = re.search(r"write needs: (\[\w+\])", problem.hint)
    if not problem.example.startswith("- ") or named is None:
        return None
    text = _put(document, problem.path, "needs", load(named[1]).value)
    return text.rstrip() + "\n" + "\n".join(f"  {line}" for line in problem.example.splitlines()) + "\n"


def entry(problem: Problem, document: Document) -> str | None:
    """``key: value`` takes the place of the entry of that name, or is added."""
    value = load(problem.example).value
    if not isinstance(value, dict) or len(value) != 1 or not document.parsed:
        return None
    key, new = next(iter(value.items()))
    step = re.search(r'in the (?:config of the )?step "(\w+)"', problem.hint)
    path = problem.path
    if step is not None:
        index = [item.get("id") for item in document.value["steps"]].index(step[1])
        path = ("steps", index, "config") if "config" in step[0] else ("steps", index)
    old = document.at((*path[:2], key)) if "also in needs of" in problem.hint else None
    text = _put(document, path, key, new)
    return text.replace(str(old), new) if old else text


def remove(problem: Problem, document: Document) -> str | None:
    """``remove`` what is marked, or what is named."""
    named = re.match(r'remove (?:this |the entry )?"([^"]+)"', problem.hint)
    if not problem.hint.startswith("remove") or problem.span is None:
        return None
    if "and all that follows" in problem.hint:
        return document.text[: problem.span.start_index]
    if named and named[1].startswith(("INTO", "!!", "UNION")):
        return document.text.replace(named[1], "", 1)
    path = problem.path
    if problem.code in ("OSI-V006", "OSI-V011", "OSI-V016"):
        return _without_entry(document.text, problem.span.start_index)
    if named and isinstance(document.at(path), dict) and named[1] in document.at(path):
        path = (*path, named[1])
    while named and isinstance(path[-1], str) and path[-1] != named[1]:
        path = path[:-1]
    if isinstance(path[-1], int) and path[0] == "steps" and len(path) == 2:
        return _without_entry(document.text, problem.span.start_index).replace("  - \n", "")
    edit = Editor(document)
    edit.remove(path)
    return edit.text()


def other_word(problem: Problem, document: Document) -> str | None:
    """``write X``, ``did you mean "X"?``, ``delete it``: in place of what is marked."""
    found = re.match(r'(?:[^"]*: )?(?:did you mean "?|write )([\w@./"-]+?)"?(?:\?|,|:|$)', problem.hint)
    span = problem.span
    if span is None or not (found or problem.hint == "delete it"):
        return None
    word = found[1] if found else ""
    end = span.end_index
    if document.text[span.start_index] == '"' and end > span.start_index + 1:
        word = f'"{word}"'
    elif word.startswith('"'):
        word += '"'
        end = document.text.index("\n", span.start_index)
    return document.text[: span.start_index] + word + document.text[end:]


def layout(problem: Problem, document: Document) -> str | None:
    """Spaces before a line, a bracket before a place, quotes around a value."""
    span, text = problem.span, document.text
    if span is None:
        return None
    if spaces := re.search(r": (\d+) spaces", problem.hint):
        lines = text.splitlines(keepends=True)
        lines[span.line - 1] = " " * int(spaces[1]) + lines[span.line - 1].lstrip()
        return "".join(lines)
    if bracket := re.match(r"write ([\]}]) before it", problem.hint):
        return text[: span.start_index] + bracket[1] + text[span.start_index :]
    if quoted := re.match(r'write "(.+)", or', problem.hint):
        return text.replace(f" {quoted[1]}\n", f' "{quoted[1]}"\n', 1)
    number = re.search(r"such as (\d+)(?:$|, or)", problem.hint)
    return text[: span.start_index] + number[1] + text[span.end_index :] if number else None


def other_lines(problem: Problem, document: Document) -> str | None:
    """``line 4: instead of A write B``, in the order of the example; lines keep their indentation and dash."""
    if not problem.example.startswith("line "):
        return None
    lines = document.text.splitlines()
    for change in problem.example.splitlines():
        found = re.fullmatch(r"line (\d+): instead of (.+) write (.+)", change)
        assert found is not None, change
        old, new = found[2], found[3].split(" and, on a line of its own, ")
        at = int(found[1]) - 1
        before = lines[at].removesuffix(old)
        assert before != lines[at], change
        lines[at] = "\n".join([before + new[0], *(" " * len(before) + line for line in new[1:])])
    return "\n".join(lines) + "\n"


RULES: list[Callable[[Problem, Document], str | None]] = [
    certain, other_lines, whole_file, first_line, new_step, entry, remove, other_word, layout,
]  # fmt: skip


# -- edits -----------------------------------------------------------------------------------------------
def _mappings(document: Document, path: Place) -> Iterator[Place]:
    """Mappings on the way to ``path``, innermost first."""
    for length in range(len(path), -1, -1):
        if isinstance(document.at(path[:length]), dict):
            yield path[:length]


def _put(document: Document, path: Place, key: str, value: Any) -> str:
    edit = Editor(document)
    around = list(_mappings(document, path))
    holding = [place for place in around if key in document.at(place)]
    if holding:
        edit.replace((*holding[0], key), value)
    else:
        edit.insert_after((*around[0], next(iter(document.at(around[0])))), key, value)
    return edit.text()


def _without_entry(text: str, start: int) -> str:
    """Without the key at ``start`` and its value, on one line."""
    line = text.rfind("\n", 0, start) + 1
    rest = re.compile(r"[^,}\n]*").match(text, start)
    assert rest is not None
    if "{" in text[line:start]:
        return text[:start].rstrip(", ") + text[rest.end() :]
    end = text.find("\n", start) + 1
    dash = text[line:start]
    if "-" in dash and end < len(text) and not text[end:].lstrip().startswith("- "):  # the next line takes the dash
        following = text[end:]
        return text[:line] + dash + following.lstrip()
    return text[:line] + text[end:]
