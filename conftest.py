"""Fixtures that the tests of every package share."""

pytest_plugins = ["osiris_core.testing.servers", "osiris_core.testing.cli"]
