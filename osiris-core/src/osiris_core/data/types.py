"""Types Arrow cannot say travel as field metadata; this is the one table of them.

=============  ==========================  ======================================================
osiris.type    Arrow storage               meaning
=============  ==========================  ======================================================
``json``       string                      JSON text, digits and key order as the source wrote them
``time``       duration[us]                a signed time span or time of day (MySQL TIME)
``interval``   month_day_nano_interval     a calendar interval (PostgreSQL interval)
``bit``        string of ``0`` and ``1``   a bit string of fixed length
``decimal``    string                      an exact decimal too wide for decimal256, or of no fixed scale
``enum``       string                      one word of a closed list
``set``        string                      comma-separated words of a closed list (MySQL SET)
``uuid``       string                      a UUID in its canonical text form
``wkb``        binary                      a geometry as well-known binary, without SRID
``text_form``  string                      any other type in its system's own text form; ``osiris.source_type``
                                           says which (``postgres:int4[]``); the same system casts it back
=============  ==========================  ======================================================

A writer that meets an ``osiris.type`` it does not know refuses it; nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from osiris_core.errors import RunError

OSIRIS_TYPES = frozenset(
    {"json", "time", "interval", "bit", "decimal", "enum", "set", "uuid", "wkb", "text_form"},
)
_TYPE_KEY = b"osiris.type"
_SOURCE_KEY = b"osiris.source_type"
_COMMENT_KEY = b"osiris.comment"
_PRIMARY_KEY = b"osiris.primary_key"


def field(name: str, storage: pa.DataType, nullable: bool = True, osiris: str = "", source: str = "") -> pa.Field:
    """An Arrow field with its Osiris metadata.

    Args:
        name: column name.
        storage: Arrow storage type.
        nullable: whether NULL may come.
        osiris: one of ``OSIRIS_TYPES`` or ``""``.
        source: the system's own type, for example ``mysql:decimal(65,30)``; informs, and casts ``text_form`` back.
    """
    if osiris and osiris not in OSIRIS_TYPES:
        raise ValueError(f"unknown osiris.type {osiris!r}")
    metadata = {}
    if osiris:
        metadata[_TYPE_KEY] = osiris.encode()
    if source:
        metadata[_SOURCE_KEY] = source.encode()
    return pa.field(name, storage, nullable, metadata or None)


def osiris_type(arrow_field: pa.Field) -> str:
    """The field's ``osiris.type``, or ``""``. Arrow's own ``arrow.json`` and ``arrow.uuid`` count too."""
    metadata = arrow_field.metadata or {}
    if _TYPE_KEY in metadata:
        return str(metadata[_TYPE_KEY].decode())
    extension = metadata.get(b"ARROW:extension:name", b"").decode() or getattr(arrow_field.type, "extension_name", "")
    return {"arrow.json": "json", "arrow.uuid": "uuid"}.get(str(extension), "")


def source_type(arrow_field: pa.Field) -> str:
    """The field's ``osiris.source_type``, or ``""``."""
    return str((arrow_field.metadata or {}).get(_SOURCE_KEY, b"").decode())


def with_source_table(
    schema: pa.Schema, *, primary_key: Sequence[str] = (), comment: str = "", comments: Mapping[str, str] | None = None
) -> pa.Schema:
    """``schema`` with what a writer needs to make an equal table: the source's key, and comments by column name."""
    named = comments or {}
    fields = [
        f.with_metadata({**(f.metadata or {}), _COMMENT_KEY: named[f.name].encode()}) if named.get(f.name) else f
        for f in schema
    ]
    metadata = dict(schema.metadata or {})
    if primary_key:
        metadata[_PRIMARY_KEY] = json.dumps(list(primary_key)).encode()
    if comment:
        metadata[_COMMENT_KEY] = comment.encode()
    return pa.schema(fields, metadata or None)


def with_names(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """``schema`` with its columns called ``names``, place by place, in the source's key too; nothing else changes."""
    fields = [item.with_name(name) for item, name in zip(schema, names, strict=True)]
    renamed = dict(zip(schema.names, names, strict=True))
    key = source_primary_key(schema)
    metadata = dict(schema.metadata or {})
    metadata.pop(_PRIMARY_KEY, None)
    if key and set(key) <= renamed.keys():  # of a key that is not read whole, a new name could mean another column
        metadata[_PRIMARY_KEY] = json.dumps([renamed[name] for name in key]).encode()
    return pa.schema(fields, metadata or None)


def source_primary_key(schema: pa.Schema) -> tuple[str, ...]:
    """The source table's primary key, or nothing when the reader did not say."""
    text = (schema.metadata or {}).get(_PRIMARY_KEY)
    return tuple(json.loads(text)) if text else ()


def source_comment(described: pa.Schema | pa.Field) -> str:
    """The source's comment on a table (its schema) or a column (its field), or ``""``."""
    return str((described.metadata or {}).get(_COMMENT_KEY, b"").decode())


def column_arrow(arrow_field: pa.Field) -> tuple[str, str]:
    """``(Column.arrow, Column.osiris_type)`` of a field, in pyarrow's spelling."""
    return str(arrow_field.type), osiris_type(arrow_field)


def refuse_unknown_types(schema: pa.Schema, known: Collection[str], target: str) -> None:
    """Raise RunError (OSI-R101) naming each column whose ``osiris.type`` ``target`` does not know."""
    unknown = [f"{f.name} ({osiris_type(f)})" for f in schema if osiris_type(f) and osiris_type(f) not in known]
    if unknown:
        raise RunError(
            f"{target} cannot hold these columns: {', '.join(unknown)}",
            code="OSI-R101",
            hint="leave them out with columns, or cast them in a transform",
        )
