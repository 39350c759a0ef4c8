"""The suites that ``ConnectorSuite`` is made of, one module per promise."""

import pytest

# Before the modules are imported, so that their asserts say what differs.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("delivery", "discover", "read", "secrets", "spec", "write"))
)
