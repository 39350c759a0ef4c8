"""Which of a suite's tests apply to a connector, decided from its spec when the test class is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from osiris_core.spec import Spec

_F = TypeVar("_F", bound=Callable[..., Any])
_NEEDS = "_osiris_needs"
_DEMONSTRATES = "_osiris_demonstrates"
#: Fields that core itself acts on, for every component.
_BY_CORE = {("write", "require"), ("write", "naming")}


def needs(*operations: str, delivery: str | None = None) -> Callable[[_F], _F]:
    """The test runs when the spec supports every operation in full (and delivers so on every channel)."""

    def mark(function: _F) -> _F:
        setattr(function, _NEEDS, (operations, delivery))
        return function

    return mark


def demonstrates(mode: str, *fields: str) -> Callable[[_F], _F]:
    """The test shows that config fields of a mode change behaviour; it runs when the spec advertises them."""

    def mark(function: _F) -> _F:
        setattr(function, _DEMONSTRATES, (mode, fields))
        return function

    return mark


def applies(function: Any, spec: Spec) -> bool:
    """Whether a test is about something that the spec promises."""
    operations, delivery = getattr(function, _NEEDS, ((), None))
    if any(spec.support(operation) != "full" for operation in operations):
        return False
    if delivery is not None and any(value != delivery for value in spec.delivery.values()):
        return False
    mode, fields = getattr(function, _DEMONSTRATES, ("", ()))
    return all(name in _properties(spec, mode) for name in fields)


def advertised(spec: Spec) -> set[tuple[str, str]]:
    """Every (mode, field) of the spec's config schemas that the component itself must act on."""
    fields = {(str(mode), name) for mode in spec.modes for name in _properties(spec, mode)}
    return fields - _BY_CORE


def demonstrated(suite: type) -> set[tuple[str, str]]:
    """Every (mode, field) that some test of the class shows."""
    found: set[tuple[str, str]] = set()
    for name in dir(suite):
        mode, fields = getattr(getattr(suite, name), _DEMONSTRATES, ("", ()))
        found.update((mode, each) for each in fields)
    return found


def _properties(spec: Spec, mode: str) -> dict[str, Any]:
    return dict(spec.config_schema.get(mode, {}).get("properties", {}))
