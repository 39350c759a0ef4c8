"""Which tables of its catalogue a step names."""

from __future__ import annotations

from osiris_core.drivers import StepView
from osiris_core.spec import Spec
from osiris_core.validate.roles import RoleTree

#: Roles whose value names one table of the catalogue.
TABLE_ROLES = frozenset({"table", "path"})


def tables_of(step: StepView, spec: Spec) -> tuple[str, ...]:
    """Names of the tables the step reads or writes, each once, in the order of its config; none for a query."""
    schema = spec.config_schema[step.mode]
    found = (value for _, role, value in RoleTree.of(schema).find(step.config) if role in TABLE_ROLES)
    return tuple(dict.fromkeys(value for value in found if isinstance(value, str)))
