"""The kit for connector authors, and what Osiris's own tests stand on.

``ConnectorSuite`` proves a connector; ``osiris_core.testing.servers`` starts real database servers and
``osiris_core.testing.cli`` runs real ``osiris`` processes (both are pytest plugins). Needs
``osiris-core[testing]``.
"""

from __future__ import annotations

from osiris_core.lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from osiris_core.data.edge_values import EDGE_COLUMNS, HARD_COLUMNS, EdgeColumn, edge_table, meaning
    from osiris_core.testing.connector import Connector, people, rows_of, stream_of
    from osiris_core.testing.crash import write_and_die
    from osiris_core.testing.marks import demonstrates, needs
    from osiris_core.testing.suite import ConnectorSuite

_HOMES = {
    "data.edge_values": ("EDGE_COLUMNS", "HARD_COLUMNS", "EdgeColumn", "edge_table", "meaning"),
    "testing.connector": ("Connector", "people", "rows_of", "stream_of"),
    "testing.crash": ("write_and_die",),
    "testing.marks": ("demonstrates", "needs"),
    "testing.suite": ("ConnectorSuite",),
}

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


__getattr__ = lazily(__name__, _HOMES)
