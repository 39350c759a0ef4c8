"""Validation: one function for every command, and one decision about what refuses.

outline → graph → steps → safety → SQL → catalogue → plugins
"""

from osiris_core.validate.severity import severity
from osiris_core.validate.validation import Validation
from osiris_core.validate.validator import validate

__all__ = ["Validation", "severity", "validate"]
