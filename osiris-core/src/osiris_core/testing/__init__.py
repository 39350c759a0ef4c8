"""The kit for connector authors, and what Osiris's own tests stand on.

``ConnectorSuite`` proves a connector; ``osiris_core.testing.servers`` starts real database servers and
``osiris_core.testing.cli`` runs real ``osiris`` processes (both are pytest plugins). Needs
``osiris-core[testing]``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from osiris_core.data.edge_values import EDGE_COLUMNS, HARD_COLUMNS, EdgeColumn, edge_table, meaning
    from osiris_core.testing.connector import Connector, people, rows_of, stream_of
    from osiris_core.testing.crash import write_and_die
    from osiris_core.testing.marks import demonstrates, needs
    from osiris_core.testing.suite import ConnectorSuite

_HOMES = {
    "osiris_core.data.edge_values": ("EDGE_COLUMNS", "HARD_COLUMNS", "EdgeColumn", "edge_table", "meaning"),
    "osiris_core.testing.connector": ("Connector", "people", "rows_of", "stream_of"),
    "osiris_core.testing.crash": ("write_and_die",),
    "osiris_core.testing.marks": ("demonstrates", "needs"),
    "osiris_core.testing.suite": ("ConnectorSuite",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "EDGE_COLUMNS",
    "HARD_COLUMNS",
    "Connector",
    "ConnectorSuite",
    "EdgeColumn",
    "demonstrates",
    "edge_table",
    "meaning",
    "needs",
    "people",
    "rows_of",
    "stream_of",
    "write_and_die",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
