"""The suites that ``ConnectorSuite`` is made of, one module per promise."""
