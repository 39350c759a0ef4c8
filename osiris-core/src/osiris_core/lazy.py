"""Names that a package exports and loads on first use, as PEP 562 lets it."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING, whose import would cost more than this module
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def lazily(package: str, homes: Mapping[str, Iterable[str]]) -> Callable[[str], object]:
    """The ``__getattr__`` of ``package``: ``homes`` says which module of ``osiris_core`` has which names.

    A name is asked for once, then it is the package's own. Raises AttributeError for any other.
    """
    home_of = {name: f"osiris_core.{module}" for module, names in homes.items() for name in names}

    def __getattr__(name: str) -> object:  # noqa: N807 - it becomes the package's
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import sys
        from importlib import import_module

        value = getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    return __getattr__
