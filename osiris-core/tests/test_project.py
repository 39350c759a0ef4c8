"""``osiris.yaml``: where it is found, what it settles, and what goes over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from osiris_core import ConfigurationError, Session
from osiris_core.project import Project


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OSIRIS_VALIDATION", "OSIRIS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def write(root: Path, text: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    file = root / "osiris.yaml"
    file.write_text(text)
    return file


def test_without_a_file_the_start_is_the_root_and_validation_warns(tmp_path: Path) -> None:
    project = Project.find(tmp_path)
    assert (project.root, project.file) == (tmp_path, None)
    assert (project.validation_mode, project.catalog_ttl, project.default_engine) == ("warn", 3600, "local")
    assert project.state_dir == tmp_path / ".osiris"


def test_the_nearest_file_upwards_counts(tmp_path: Path) -> None:
    write(tmp_path, "name: outer\n")
    file = write(tmp_path / "inner", "validation: strict\nstate_dir: state\ncatalog: {ttl: 0}\nengine: far\n")
    below = tmp_path / "inner" / "a" / "b"
    below.mkdir(parents=True)
    project = Project.find(below)
    assert (project.file, project.root) == (file, tmp_path / "inner")
    assert (project.validation_mode, project.catalog_ttl, project.default_engine) == ("strict", 0, "far")
    assert project.state_dir == tmp_path / "inner" / "state"
    assert Project.find(below.parent.parent / "osiris.yaml").root == tmp_path / "inner"


def test_an_empty_file_marks_a_project(tmp_path: Path) -> None:
    assert Project.find(write(tmp_path, "# nothing settled\n").parent).file is not None


def test_a_profile_goes_over_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        "validation: warn\nprofile: dev\n"
        "profiles:\n  dev: {catalog: {ttl: 5}}\n  prod: {validation: strict, connections: prod.yaml}\n",
    )
    assert (Project.find(tmp_path).profile, Project.find(tmp_path).catalog_ttl) == ("dev", 5)
    chosen = Project.find(tmp_path, profile="prod")
    assert (chosen.validation_mode, chosen.connections_file) == ("strict", tmp_path / "prod.yaml")
    monkeypatch.setenv("OSIRIS_PROFILE", "prod")
    assert Project.find(tmp_path).profile == "prod"
    assert Project.find(tmp_path, profile="dev").profile == "dev"


def test_a_flag_goes_over_the_environment_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "validation: strict\n")
    monkeypatch.setenv("OSIRIS_VALIDATION", "off")
    assert Session.open(tmp_path).project.validation_mode == "off"
    assert Session.open(tmp_path, validation_mode="warn").project.validation_mode == "warn"
    monkeypatch.setenv("OSIRIS_VALIDATION", "stict")
    with pytest.raises(ConfigurationError, match="OSIRIS_VALIDATION") as caught:
        Session.open(tmp_path)
    assert caught.value.hint == 'did you mean "strict"?'


def test_everything_wrong_is_said_at_once_with_places(tmp_path: Path) -> None:
    write(tmp_path, "validaton: strict\ncatalog:\n  ttl: soon\nprofiles:\n  prod: {state: x}\n")
    with pytest.raises(ConfigurationError) as caught:
        Project.find(tmp_path)
    found = {(problem.span.line, problem.message) for problem in caught.value.problems if problem.span}
    assert found == {
        (1, 'unknown field "validaton"'),
        (3, '"ttl" must be a whole number, not text'),
        (5, 'unknown field "state"'),
    }
    assert caught.value.exit_code == 5


def test_a_file_that_is_not_yaml_is_a_configuration_error(tmp_path: Path) -> None:
    write(tmp_path, "validation: [strict\n")
    with pytest.raises(ConfigurationError) as caught:
        Project.find(tmp_path)
    assert caught.value.problems
