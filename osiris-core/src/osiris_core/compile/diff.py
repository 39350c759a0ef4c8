"""What differs between two compiled pipelines: steps, fields, schemas, plugins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from osiris_core.canonical import canonical_json
from osiris_core.catalog.changes import compare
from osiris_core.compile.model import Compiled

#: What the manifest says about a step besides its id and where its config lies.
_STEP_FIELDS = ("component", "component_version", "mode", "connection", "needs")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. ``what``: step, field, schema, order, param, plugin, spec, connection, secret or pipeline.

    ``where`` names it (``orders``, ``orders/config/limit``); ``message`` is one clause for people.
    """

    what: str
    where: str
    message: str

    def to_json(self) -> dict[str, str]:
        """As ``osiris diff --json`` prints it."""
        return asdict(self)


def diff(old: Compiled, new: Compiled) -> list[Difference]:
    """Every difference from ``old`` to ``new``; empty exactly when both have one fingerprint."""
    if old.fingerprint == new.fingerprint:
        return []
    a, b = old.manifest, new.manifest
    return [
        *_values("pipeline", "", _only(a, "name", "oml_version"), _only(b, "name", "oml_version")),
        *_values("param", "", a["params"], b["params"]),
        *_steps(old, new),
        *_values("plugin", "", a["distributions"], b["distributions"]),
        *_hashes("spec", "the spec", old, new, "specs"),
        *_hashes("connection", "the host, database or another field", old, new, "connections"),
        *_values("secret", "", a["secrets"], b["secrets"]),
    ]


def _steps(old: Compiled, new: Compiled) -> Iterator[Difference]:
    before = [step["id"] for step in old.manifest["steps"]]
    after = [step["id"] for step in new.manifest["steps"]]
    for step in before:
        if step not in after:
            yield Difference("step", step, f'step "{step}" is gone')
    for step in after:
        if step not in before:
            entry = new.step(step)
            yield Difference("step", step, f'step "{step}" is new: {entry["mode"]} {entry["component"]}')
            continue
        if step in before:
            a, b = old.step(step), new.step(step)
            yield from _values("field", step, _only(a, *_STEP_FIELDS), _only(b, *_STEP_FIELDS))
            yield from _values("field", f"{step}/config", old.configs[step], new.configs[step])
            yield from _schemas(step, old, new)
    if [s for s in before if s in after] != [s for s in after if s in before]:
        yield Difference("order", "", f"the steps run in another order: {', '.join(after)}")


def _schemas(step: str, old: Compiled, new: Compiled) -> Iterator[Difference]:
    before, after = old.schemas.get(step, {}), new.schemas.get(step, {})
    for name in sorted(before.keys() & after.keys()):
        for change in compare(before[name], after[name]):
            hint = f" ({change.hint})" if change.hint else ""
            yield Difference("schema", f"{step}/{name}", f"{change.message}{hint}")
    for name in sorted(before.keys() ^ after.keys()):
        says = "is used" if name in after else "is no longer used"
        yield Difference("schema", f"{step}/{name}", f'table "{name}" {says}')


def _hashes(what: str, noun: str, old: Compiled, new: Compiled, key: str) -> Iterator[Difference]:
    before, after = old.manifest["fingerprints"][key], new.manifest["fingerprints"][key]
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield Difference(what, name, f"{noun} of {name} is not the same")


def _values(what: str, where: str, old: Any, new: Any) -> Iterator[Difference]:
    """Differences of two JSON values, as deep as both are mappings (or lists of equal length)."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _member(what, f"{where}/{key}".lstrip("/"), key, old, new)
    elif _is_list(old) and _is_list(new) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _values(what, f"{where}/{index}", a, b)
    elif type(old) is not type(new) or old != new:
        yield Difference(what, where, f"{_shown(old)} → {_shown(new)}")


def _member(what: str, where: str, key: Any, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[Difference]:
    if key not in new:
        yield Difference(what, where, f"gone, was {_shown(old[key])}")
    elif key not in old:
        yield Difference(what, where, f"new: {_shown(new[key])}")
    else:
        yield from _values(what, where, old[key], new[key])


def _only(value: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value[key] for key in keys}


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shown(value: Any) -> str:
    return canonical_json(value)
