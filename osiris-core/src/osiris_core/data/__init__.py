"""What connectors share about rows: Arrow streams, type metadata, SELECT building, the ledger's record, new files.

Needs the extra ``osiris-core[data]`` (pyarrow). In core only ``run/`` uses it. Names are loaded on first use: a driver
that only asks a server about its tables does not wait for Arrow.
"""

from __future__ import annotations

from osiris_core.lazy import lazily

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING
if TYPE_CHECKING:
    from osiris_core.atomic import private_opener, rights_of
    from osiris_core.data.coercion import Coercions
    from osiris_core.data.creation import created_primary_key, warn_keyless
    from osiris_core.data.differing import BucketSums, DifferingRows
    from osiris_core.data.ledger import LEDGER_TABLE, ledger_entry, result_from_json, result_to_json
    from osiris_core.data.renaming import with_target_names
    from osiris_core.data.select import ParamStyle, build_select
    from osiris_core.data.spool import Spool
    from osiris_core.data.stream import BatchStream, as_reader, as_stream, rebatch
    from osiris_core.data.types import (
        OSIRIS_TYPES,
        column_arrow,
        field,
        osiris_type,
        refuse_unknown_types,
        source_comment,
        source_primary_key,
        source_type,
        with_source_table,
    )

_HOMES = {
    "atomic": ("private_opener", "rights_of"),
    "data.coercion": ("Coercions",),
    "data.creation": ("created_primary_key", "warn_keyless"),
    "data.differing": ("BucketSums", "DifferingRows"),
    "data.ledger": ("LEDGER_TABLE", "ledger_entry", "result_from_json", "result_to_json"),
    "data.renaming": ("with_target_names",),
    "data.select": ("ParamStyle", "build_select"),
    "data.spool": ("Spool",),
    "data.stream": ("BatchStream", "as_reader", "as_stream", "rebatch"),
    "data.types": (
        "OSIRIS_TYPES",
        "column_arrow",
        "field",
        "osiris_type",
        "refuse_unknown_types",
        "source_comment",
        "source_primary_key",
        "source_type",
        "with_source_table",
    ),
}

__all__ = [
    "LEDGER_TABLE",
    "OSIRIS_TYPES",
    "BatchStream",
    "BucketSums",
    "Coercions",
    "DifferingRows",
    "ParamStyle",
    "Spool",
    "as_reader",
    "as_stream",
    "build_select",
    "column_arrow",
    "created_primary_key",
    "field",
    "ledger_entry",
    "osiris_type",
    "private_opener",
    "rebatch",
    "refuse_unknown_types",
    "result_from_json",
    "result_to_json",
    "rights_of",
    "source_comment",
    "source_primary_key",
    "source_type",
    "warn_keyless",
    "with_source_table",
    "with_target_names",
]


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
