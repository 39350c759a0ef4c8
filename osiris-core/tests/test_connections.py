"""``osiris_connections.yaml``: all problems at once with line and caret, and never a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core import ConfigurationError, Secret, SecretError
from osiris_core.cli.output import format_problem
from osiris_core.connection_fields import FamilySchema
from osiris_core.connections import Connections
from osiris_core.project import Project
from osiris_core.secrets import SecretSource

CANARY = "hunter2-canary"
SCHEMA = {
    "type": "object",
    "required": ["host"],
    "additionalProperties": False,
    "properties": {
        "host": {"type": "string", "minLength": 1},
        "port": {"type": "integer", "maximum": 65535, "default": 3306},
        "tls": {"type": "boolean"},
        "mode": {"enum": ["fast", "safe"]},
        "database": {"type": "string", "x-override": "allowed"},
        "password": {"type": "string"},
        "auth": {"type": "object", "properties": {"token": {"type": "string"}, "user": {"type": "string"}}},
    },
}
FAMILY = FamilySchema(SCHEMA, frozenset({"/password", "/auth/token"}))


def load(root: Path, text: str, profile: str | None = None, **variables: str) -> Connections:
    root.joinpath("osiris_connections.yaml").write_text(text)
    project = Project(root=root, connections_file=root / "osiris_connections.yaml", profile=profile)
    schemas = {"db": FAMILY, "plain": None}
    return Connections.load(project, sorted(schemas), schemas.get, SecretSource({}, variables))


def shown(connections: Connections) -> str:
    source = connections.source
    return "\n".join(format_problem(problem, source) for problem in connections.problems)


def test_values_come_from_variables_with_the_types_the_schema_wants(tmp_path: Path) -> None:
    connections = load(
        tmp_path,
        'connections:\n  shop: {component: db, host: "${H}.example.com", port: "${P}", tls: "${T}", password: "${W}",'
        ' auth: {token: "${K}", user: me}}\n',
        H="db",
        P="3307",
        T="True",
        W=CANARY,
        K="token-canary",
    )
    assert connections.problems == []
    shop = connections.resolve(["shop"])["shop"]
    assert (shop.alias, shop.family) == ("shop", "db")
    assert shop.fields["host"] == "db.example.com"
    assert (shop.fields["port"], shop.fields["tls"]) == (3307, True)
    assert shop.fields["password"] == Secret(CANARY)
    assert shop.fields["auth"] == {"token": Secret("token-canary"), "user": "me"}
    assert shop.text("password") == CANARY
    assert CANARY not in repr(shop)
    assert connections.secret_names(["shop"]) == ["H", "K", "P", "T", "W"]
    assert connections.secret_references("shop") == {"/auth/token": "K", "/password": "W"}


def test_the_identity_has_defaults_and_no_secret(tmp_path: Path) -> None:
    text = 'connections: {shop: {component: db, host: "${H}", password: "${W}", auth: {token: "${K}", user: me}}}\n'
    connections = load(tmp_path, text, H="db")
    assert connections.identity("shop") == {"component": "db", "host": "db", "port": 3306, "auth": {"user": "me"}}


def test_a_dollar_brace_can_be_written_literally(tmp_path: Path) -> None:
    connections = load(tmp_path, 'connections: {shop: {component: db, host: "$${X}"}}\n')
    assert connections.resolve(["shop"])["shop"].fields["host"] == "${X}"


def test_a_value_that_looks_like_a_reference_is_not_looked_up_again(tmp_path: Path) -> None:
    connections = load(tmp_path, 'connections: {shop: {component: db, host: "${A}"}}\n', A="${B}", B="no")
    assert connections.resolve(["shop"])["shop"].fields["host"] == "${B}"


def test_all_missing_variables_are_named_at_once(tmp_path: Path) -> None:
    connections = load(
        tmp_path,
        'connections:\n  a: {component: db, host: h, password: "${A_PW}"}\n'
        '  b: {component: db, host: "${B_HOST}", password: "${B_PW}"}\n  c: {component: db, host: "${OTHER}"}\n',
    )
    with pytest.raises(SecretError) as caught:
        connections.resolve(["b", "a"])
    assert caught.value.names == ("A_PW", "B_HOST", "B_PW")
    assert caught.value.exit_code == 5
    assert "needed by @a, @b" in caught.value.message


def test_every_problem_has_a_place_and_no_message_has_a_value(tmp_path: Path) -> None:
    connections = load(
        tmp_path,
        f"""\
connections:
  shop:
    component: db
    hst: {CANARY}
    port: {CANARY}
    mode: {CANARY}
    password: {CANARY}
    auth: {CANARY}
  flow: {{component: db, host: h, port: 1e9, tls: {CANARY}, auth: {{token: {CANARY}}}}}
  other: {{component: dbb, password: {CANARY}}}
  none: {{host: {CANARY}}}
  text: {CANARY}
  "odd one": {{component: db}}
  reference: {{component: db, host: "${{BAD-NAME}}{CANARY}"}}
  useless: {{component: plain, x: {CANARY}}}
conections: {CANARY}
""",
    )
    found = {(problem.code, problem.span.line) for problem in connections.problems if problem.span}
    assert found == {
        ("OSI-C004", 4),  # unknown field
        ("OSI-C005", 2),  # host is missing
        ("OSI-C006", 5),
        ("OSI-C006", 6),
        ("OSI-C006", 8),
        ("OSI-C008", 7),  # a secret in the file
        ("OSI-C006", 9),
        ("OSI-C008", 9),
        ("OSI-C011", 10),
        ("OSI-C005", 11),
        ("OSI-C003", 12),
        ("OSI-C003", 13),
        ("OSI-C009", 14),
        ("OSI-C011", 15),
        ("OSI-C003", 16),
    }
    text = shown(connections)
    assert CANARY not in text
    assert "   4 |     hst: ***\n     |     ^^^\n" in text
    assert 'mend: did you mean "host"?' in text
    assert "write ${SHOP_PASSWORD} and set that variable" in text
    with pytest.raises(ConfigurationError) as caught:
        connections.resolve(["shop"])
    assert caught.value.exit_code == 5
    assert {problem.span.line for problem in caught.value.problems if problem.span} == {2, 4, 5, 6, 7, 8, 16}


@pytest.mark.parametrize(
    "text",
    [
        "connections:\n  shop:\n    password: '{0}\n",
        "connections:\n  shop: {{password: {0}\n",
        "connections:\n  shop:\n    password {0}\n    host: x\n",
        "connections:\n  shop:\n   password: |\n  {0}\n",
        "connections:\n  shop: {{password: a, password: {0}}}\n",
        "connections:\n  shop: {{component: db, host: h, 'password:{0}': 1}}\n",
        "connections:\n  {0}: {{component: db, host: h}}\n  {0} : 1\n",
        "{0}\n",
        "- {0}\n",
        "connections: {0}\n",
        "connections: &{0} x\n",
        "connections: !{0} x\n",
        "connections:\n  shop: {{component: db, host: *{0}}}\n",
        "? {0}\n: x\n",
        "connections: {{shop: {{component: db, host: h, pass word: {0}}}}}\n",
        "connections: {{shop: {{component: db, port: x, host: h}}}} # {0}\n",
        "\t{0}",
        "",
    ],
)
def test_a_malformed_file_is_refused_without_showing_what_is_in_it(tmp_path: Path, text: str) -> None:
    canary = "hunter2 canary!"
    connections = load(tmp_path, text.format(canary))
    if text:
        assert connections.problems
    assert canary not in shown(connections)
    assert "hunter2" not in shown(connections)


values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6).map(lambda text: f"Qz{text}")
names = st.sampled_from(["host", "port", "tls", "mode", "database", "password", "auth", "unknown"])


@given(value=values, name=names)
def test_no_value_is_ever_echoed(value: str, name: str, tmp_path_factory: Any) -> None:
    text = f"connections:\n  shop:\n    component: db\n    {name}: {value}\n    bogus: {value}\n"
    assert value not in shown(load(tmp_path_factory.mktemp("echo"), text))


def test_variables_are_checked_when_they_are_filled_in(tmp_path: Path) -> None:
    text = 'connections: {shop: {component: db, host: h, port: "${P}", mode: "${M}"}}\n'
    connections = load(tmp_path, text, P=CANARY, M="fast")
    assert connections.problems == []
    with pytest.raises(ConfigurationError, match=r"\$\{P\} for \"port\" must be a whole number") as caught:
        connections.resolve(["shop"])
    assert CANARY not in str(caught.value)
    with pytest.raises(ConfigurationError, match='"mode" must be one of fast, safe') as caught:
        load(tmp_path, text, P="1", M=CANARY).resolve(["shop"])
    assert CANARY not in str(caught.value)


def test_a_profile_changes_single_fields_and_keeps_their_places(tmp_path: Path) -> None:
    text = (
        "connections:\n  shop: {component: db, host: here, database: d}\n"
        "profiles:\n  prod:\n    shop: {host: there, port: x}\n  stage:\n    shpo: {host: x}\n"
    )
    assert load(tmp_path, text).identity("shop")["host"] == "here"
    connections = load(tmp_path, text, profile="prod")
    lines = {problem.code: problem.span.line for problem in connections.problems if problem.span}
    assert lines == {"OSI-C006": 5, "OSI-C003": 7}
    good = load(tmp_path, text.replace(", port: x", "").replace("shpo", "shop"), profile="prod")
    assert good.resolve(["shop"])["shop"].fields["host"] == "there"
    assert good.resolve(["shop"])["shop"].fields["database"] == "d"
    assert "there is no profile" in load(tmp_path, text, profile="prd").problems[0].message


def test_unknown_aliases_are_explained(tmp_path: Path) -> None:
    connections = load(tmp_path, "connections: {shop: {component: db, host: h}}\n")
    with pytest.raises(ConfigurationError) as caught:
        connections.resolve(["shpo"])
    assert (caught.value.code, caught.value.hint) == ("OSI-C002", 'did you mean "shop"?')
    nothing = Project(root=tmp_path, connections_file=tmp_path / "none.yaml")
    empty = Connections.load(nothing, [], lambda _: None, SecretSource())
    assert empty.aliases() == []
    with pytest.raises(ConfigurationError, match="which does not exist"):
        empty.resolve(["shop"])


def test_a_step_overrides_only_what_the_component_allows(tmp_path: Path) -> None:
    connections = load(tmp_path, "connections: {shop: {component: db, host: h, database: one}}\n")
    changed = connections.resolve(["shop"], {"shop": {"database": "two"}})["shop"]
    assert changed.fields["database"] == "two"
    with pytest.raises(ConfigurationError, match='may not change "host"') as caught:
        connections.resolve(["shop"], {"shop": {"host": "elsewhere"}})
    assert caught.value.code == "OSI-C007"


def test_a_faulty_neighbour_stops_nobody_else(tmp_path: Path) -> None:
    connections = load(tmp_path, "connections:\n  bad: {component: db, prt: 1}\n  good: {component: db, host: h}\n")
    assert connections.resolve(["good"])["good"].fields["host"] == "h"
    assert {problem.span.line for problem in connections.problems_of(["good"]) if problem.span} == set()


LOGINS = [
    f"postgresql://app:{CANARY}@db.example/shop",
    f"https://{CANARY}@db.example",
    f"https://db.example/?apikey={CANARY}",
    f"x password={CANARY}",
    f"shop;pwd = {CANARY}",
    f"eyJ{CANARY}.{CANARY}",
]


@pytest.mark.parametrize("value", LOGINS)
@pytest.mark.parametrize("field", ["host", "database"])
def test_credentials_in_a_field_that_is_no_secret_are_refused(tmp_path: Path, value: str, field: str) -> None:
    fields = {"host": "db", field: value}
    text = "".join(f'    {name}: "{item}"\n' for name, item in fields.items())
    connections = load(tmp_path, f"connections:\n  shop:\n    component: db\n{text}")
    (problem,) = connections.problems
    assert problem.code == "OSI-C008"
    assert problem.span is not None and problem.span.line == 3 + list(fields).index(field) + 1
    assert CANARY not in shown(connections)
    with pytest.raises(ConfigurationError) as caught:
        connections.resolve(["shop"])
    assert (caught.value.code, caught.value.exit_code) == ("OSI-C008", 5)


@pytest.mark.parametrize("value", LOGINS)
def test_credentials_that_a_variable_brings_in_are_refused(tmp_path: Path, value: str) -> None:
    connections = load(tmp_path, 'connections: {shop: {component: db, host: db, database: "${D}"}}\n', D=value)
    for ask in (connections.identity, lambda alias: connections.resolve([alias])):
        with pytest.raises(ConfigurationError, match='"database" of @shop') as caught:
            ask("shop")
        assert (caught.value.code, caught.value.exit_code) == ("OSI-C008", 5)
        assert CANARY not in caught.value.message + caught.value.hint


def test_credentials_that_a_step_brings_in_are_refused(tmp_path: Path) -> None:
    connections = load(tmp_path, "connections: {shop: {component: db, host: db}}\n")
    with pytest.raises(ConfigurationError) as caught:
        connections.resolve(["shop"], {"shop": {"database": LOGINS[0]}})
    assert (caught.value.code, CANARY in caught.value.message) == ("OSI-C008", False)


@pytest.mark.parametrize("value", ["https://db.example/a:1@b", "data/key=5/x", "-c timeout=5", "app@db", "keys"])
def test_a_field_that_only_resembles_credentials_is_taken(tmp_path: Path, value: str) -> None:
    connections = load(tmp_path, f'connections: {{shop: {{component: db, host: "{value}"}}}}\n')
    assert connections.resolve(["shop"])["shop"].fields["host"] == value


def test_a_secret_may_look_like_any_of_them(tmp_path: Path) -> None:
    connections = load(tmp_path, 'connections: {shop: {component: db, host: h, password: "${W}"}}\n', W=LOGINS[0])
    assert connections.resolve(["shop"])["shop"].text("password") == LOGINS[0]
