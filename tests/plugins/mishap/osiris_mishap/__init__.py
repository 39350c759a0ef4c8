"""A plugin that goes wrong where a test asks it to. Found on ``PYTHONPATH``, as an installed one would be."""
