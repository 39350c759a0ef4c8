"""What a plugin registers: a component, by the path of its spec."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

Mode = Literal["read", "write", "transform"]
WriteMode = Literal["append", "merge", "replace"]
Support = Literal["full", "not_implemented", "unsupported"]
Delivery = Literal["exactly_once", "at_least_once"]

MODES: tuple[Mode, ...] = ("read", "write", "transform")
WRITE_MODES: tuple[WriteMode, ...] = ("append", "merge", "replace")
OPERATIONS = (
    "discover",
    "read",
    "read.incremental",
    "read.partitioned",
    "write.append",
    "write.merge",
    "write.replace",
    "transform",
)


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a plugin.

    Attributes:
        name: ``<system>.<object>``, for example ``mysql.table``; must equal the spec's ``name``.
        spec: path of its ``spec.yaml``. Everything else, the lazy driver included, is said there once.
    """

    name: str
    spec: str | os.PathLike[str]
