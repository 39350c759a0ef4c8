"""The key of a table that a write makes: one rule for every writer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from osiris_core.data.types import source_primary_key
from osiris_core.errors import RunError
from osiris_core.problems import did_you_mean

if TYPE_CHECKING:
    from osiris_core.drivers import StepContext


def created_primary_key(
    schema: pa.Schema,
    config: Mapping[str, Any],
    context: StepContext,
    *,
    unfit: Collection[str] = (),
    ignore_case: bool = False,
) -> tuple[str, ...]:
    """The key of a table to be made: as asked, else the merge keys, else the source's own when all of it comes.

    Args:
        schema: of the stream, under the target's names.
        config: of the write step.
        context: of the step; warned when the source's own key is left out because of ``unfit``.
        unfit: columns whose types the target cannot have in a key. Asked for, they are for the target to refuse.
        ignore_case: the target's names do. Names come back as ``schema`` spells them.

    Raises RunError (OSI-R105) when a column that is asked for does not come.
    """
    for setting in ("primary_key", "merge_keys"):
        if config.get(setting):
            return tuple(_spelt(name, schema, setting, ignore_case) for name in config[setting])
    own = source_primary_key(schema)
    if not set(own) <= set(schema.names):
        return ()
    wrong = [name for name in own if name in unfit]
    if wrong:
        warn_keyless(context, own, f"the type of {', '.join(wrong)} cannot be part of a key there")
        return ()
    return own


def warn_keyless(context: StepContext, key: Collection[str], why: str) -> None:
    """Say that the table is made without the source's own primary key."""
    context.warn("OSI-R128", f"the table is made without the source's primary key ({', '.join(key)}): {why}")


def _spelt(name: str, schema: pa.Schema, setting: str, ignore_case: bool) -> str:
    if name in schema.names:
        return name
    alike = [known for known in schema.names if ignore_case and known.lower() == name.lower()]
    if not alike:
        hint = did_you_mean(name, schema.names)
        raise RunError(f'{setting}: the source has no column "{name}"', code="OSI-R105", hint=hint)
    return str(alike[0])
