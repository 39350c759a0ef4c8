"""Validation: one function for every command, and one decision about what refuses.

outline → graph → steps → safety → SQL → catalogue → plugins

The validator is loaded on first use: running what is compiled asks only for the roles of a config's values.
"""

from osiris_core.lazy import lazily
from osiris_core.validate.severity import severity

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING
if TYPE_CHECKING:
    from osiris_core.validate.validation import Validation
    from osiris_core.validate.validator import validate

__all__ = ["Validation", "severity", "validate"]

__getattr__ = lazily(__name__, {"validate.validation": ("Validation",), "validate.validator": ("validate",)})
