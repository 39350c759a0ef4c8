"""Values of conditions, made exact before they are bound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def exact_conditions(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``config["where"]`` with its values as ``exact`` makes them."""
    return [
        {**item, "value": _exact_values(item["value"])} if "value" in item else dict(item)
        for item in config.get("where", ())
    ]


def exact(value: Any) -> Any:
    """A fraction as the decimal that was written: comparing it with a DECIMAL column stays exact."""
    return Decimal(repr(value)) if isinstance(value, float) and math.isfinite(value) else value


def _exact_values(value: Any) -> Any:
    return [exact(item) for item in value] if isinstance(value, list) else exact(value)
