"""What counts as the same run again, when a run was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.canonical import fingerprint

if TYPE_CHECKING:
    from osiris_core.compile import Compiled
    from osiris_core.validate import Validation


def pipeline_identity(validation: Validation, compiled: Compiled) -> str:
    """A fingerprint over what the author wrote, its parameters and its connections.

    Not over the schemas: a run that was killed may have made the table that the next run finds, and must still be
    continued under its key.
    """
    if validation.pipeline is None:
        raise ValueError("the pipeline was not accepted")
    bound = validation.pipeline.bind()
    steps = [
        {
            "id": step.id,
            "component": step.component,
            "mode": step.mode,
            "connection": step.connection,
            "needs": list(step.needs),
            "config": step.config,
        }
        for step in bound.steps
    ]
    return fingerprint(
        {
            "name": compiled.name,
            "steps": steps,
            "params": bound.values,
            "connections": compiled.manifest["fingerprints"]["connections"],
        }
    )
