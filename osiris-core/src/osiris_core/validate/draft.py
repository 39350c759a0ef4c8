"""A pipeline on its way through the checks: what is known of each step, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from osiris_core.oml.params import Param
from osiris_core.problems import Path, Problem
from osiris_core.validate.relations import Relation

if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog
    from osiris_core.drivers import StepView
    from osiris_core.oml import Document
    from osiris_core.session import Session
    from osiris_core.spec import Spec
    from osiris_core.sql import Select


@dataclass
class DraftStep:
    """One step. What is missing or of the wrong type is None or empty; somebody has reported it.

    Attributes:
        index: place in ``steps``.
        need_indexes: place in the document's list of each of ``needs``.
        config: with parameters bound, as far as they have values.
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
    written_id: str | None = None
    roles: list[tuple[Path, str, Any]] = field(default_factory=list)
    sql_paths: frozenset[Path] = frozenset()
    open: set[Path] = field(default_factory=set)
    own_sql_params: bool = False
    spec: Spec | None = None
    faulty: set[Path] = field(default_factory=set)
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
        return not any(_related(path, other) for other in self.faulty) and not any(
            _related(path, ("config", *other)) for other in self.open
        )

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


def _related(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


@dataclass
class Draft:
    """The whole pipeline, the session it is checked in, and everything found so far."""

    document: Document
    session: Session
    mode: str
    given: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    params: dict[str, Param] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    used_params: set[str] = field(default_factory=set)
    steps: list[DraftStep] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    catalogs: dict[str, Catalog] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def report(self, problems: Iterable[Problem]) -> None:
        """Record problems of the document (paths from its root)."""
        self.problems += problems

    def report_step(self, step: DraftStep, problems: Iterable[Problem]) -> None:
        """Record problems of one step (paths within it), and keep later checks away from there."""
        for problem in problems:
            step.faulty.add(problem.path)
            self.problems.append(problem.at(*step.path))

    def by_id(self) -> dict[str, DraftStep]:
        """Steps by id; of several with one id, the first."""
        found: dict[str, DraftStep] = {}
        for step in self.steps:
            if step.id is not None:
                found.setdefault(step.id, step)
        return found
