"""A pipeline on its way through the checks: what is known of each step, and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from osiris_core.oml.params import Param
from osiris_core.problems import Path, Problem
from osiris_core.validate.relations import Relation
from osiris_core.validate.severity import severity
from osiris_core.validate.suggest import Suggester

if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog
    from osiris_core.drivers import StepView
    from osiris_core.oml import Document
    from osiris_core.session import Session
    from osiris_core.spec import Spec
    from osiris_core.sql import Select


#: More problems of one kind than this help nobody.
MAX_OF_A_KIND = 100


class PathSet:
    """Paths, and quick answers about what lies above and below them."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._paths: set[Path] = set()
        self._above: set[Path] = set()
        for path in paths:
            self.add(path)

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def __iter__(self) -> Iterator[Path]:
        return iter(self._paths)

    def __bool__(self) -> bool:
        return bool(self._paths)

    def add(self, path: Path) -> None:
        """Put ``path`` in."""
        self._paths.add(path)
        self._above.update(path[:length] for length in range(len(path)))

    def covers(self, path: Path) -> bool:
        """Whether ``path`` or something above it is here."""
        return bool(self._paths) and any(path[:length] in self._paths for length in range(len(path) + 1))

    def touches(self, path: Path) -> bool:
        """Whether ``path``, something above it or something below it is here."""
        return path in self._above or self.covers(path)


@dataclass
class DraftStep:
    """One step. What is missing or of the wrong type is None or empty; somebody has reported it.

    Attributes:
        index: place in ``steps``.
        need_indexes: place in the document's list of each of ``needs``.
        config: with parameters bound, as far as they have values.
        suggest: shared by all steps.
        written_id: the id as written, when it is text.
        roles: what the config's values mean: ``(path, role, value)``, by its schema.
        sql_paths: where the config holds SQL.
        open: paths in ``config`` whose parameters have no value; nothing is said about them.
        own_sql_params: the file itself sets ``sql_params``, which binding adds otherwise.
        spec: None when the component is unknown or lacks the mode.
        faulty: paths (within the step) of its own problems; later checks keep away from there.
        catalog: what exists for this step, when it was consulted.
        inputs: the rows of each of ``needs``.
        selects: parsed SQL by its path in the config.
        raw: the config as written, references in place.
    """

    index: int
    id: str | None
    component: str | None
    mode: str | None
    connection: str | None
    needs: list[str]
    need_indexes: list[int]
    config: dict[str, Any]
    suggest: Suggester
    written_id: str | None = None
    roles: list[tuple[Path, str, Any]] = field(default_factory=list)
    sql_paths: frozenset[Path] = frozenset()
    open: PathSet = field(default_factory=PathSet)
    own_sql_params: bool = False
    spec: Spec | None = None
    faulty: PathSet = field(default_factory=PathSet)
    catalog: Catalog | None = None
    inputs: dict[str, Relation] = field(default_factory=dict)
    selects: dict[Path, Select] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def alias(self) -> str | None:
        """The connection's alias without the ``@``."""
        return self.connection.removeprefix("@") if self.connection else None

    @property
    def path(self) -> Path:
        """Where the step stands in the document."""
        return ("steps", self.index)

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.id or f"number {self.index + 1}"

    def sound(self, *path: str | int) -> bool:
        """Whether nothing was found at, above or below ``path`` within the step, and its parameters have values."""
        return not self.faulty.touches(path) and not (path[:1] == ("config",) and self.open.touches(path[1:]))

    def view(self, *, bound: bool = True) -> StepView:
        """The step as plugins see it, or with its references in place."""
        from osiris_core.drivers import StepView

        return StepView(
            self.id or "",
            self.component or "",
            self.mode or "",
            self.connection,
            tuple(self.needs),
            self.config if bound else self.raw,
            {
                need: {f.name: f.arrow for f in relation.fields}
                for need, relation in self.inputs.items()
                if relation.complete
            },
        )


@dataclass
class Draft:
    """The whole pipeline, the session it is checked in, and everything found so far."""

    document: Document
    session: Session
    mode: str
    #: Whether systems behind connections may be asked.
    asks: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    params: dict[str, Param] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    used_params: set[str] = field(default_factory=set)
    steps: list[DraftStep] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    catalogs: dict[str, Catalog] = field(default_factory=dict)
    #: What was asked for mends only, by alias and component.
    asked: dict[tuple[str, str], Catalog] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    suggest: Suggester = field(default_factory=Suggester)
    _counts: Counter[str] = field(default_factory=Counter)

    def report(self, problems: Iterable[Problem]) -> None:
        """Record problems of the document (paths from its root); of one kind only so many."""
        for problem in problems:
            self._counts[problem.code] += 1
            if self._counts[problem.code] <= MAX_OF_A_KIND:
                self.problems.append(problem)
            elif self._counts[problem.code] == MAX_OF_A_KIND + 1:
                self.notes.append(f"there are more problems of the kind {problem.code} than are shown")

    def report_step(self, step: DraftStep, problems: Iterable[Problem]) -> None:
        """Record problems of one step (paths within it), and keep later checks away from there."""
        for problem in problems:
            step.faulty.add(problem.path)
            self.report([problem.at(*step.path)])

    def refused_steps(self) -> set[int]:
        """Places of the steps that something refuses."""
        return {
            int(problem.path[1])
            for problem in self.problems
            if problem.path[:1] == ("steps",)
            and problem.path[1:]
            and severity(problem.code, self.mode, problem.severity) == "error"
        }

    def by_id(self) -> dict[str, DraftStep]:
        """Steps by id; of several with one id, the first."""
        found: dict[str, DraftStep] = {}
        for step in self.steps:
            if step.id is not None:
                found.setdefault(step.id, step)
        return found
