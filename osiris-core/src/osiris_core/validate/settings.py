"""Config values with the defaults that their schemas state."""

from __future__ import annotations

from typing import Any

from osiris_core.validate.contracts import contract
from osiris_core.validate.draft import DraftStep


def setting(step: DraftStep, name: str) -> Any:
    """The step's value, or what leaving it out means; None when the component has no such field."""
    if name in step.config:
        return step.config[name]
    if step.spec is None or step.mode is None:
        return None
    return contract(step.spec, step.mode).defaults.get(name)
