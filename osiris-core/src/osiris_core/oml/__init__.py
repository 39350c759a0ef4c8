"""The pipeline language: text with positions, the pipeline it describes, and edits that keep its layout."""

from typing import TYPE_CHECKING

from osiris_core.oml.document import Document
from osiris_core.oml.loader import load, load_file

if TYPE_CHECKING:
    from osiris_core.oml.model import Pipeline

__all__ = ["Document", "Pipeline", "load", "load_file"]


def __getattr__(name: str) -> object:
    if name == "Pipeline":
        from osiris_core.oml.model import Pipeline

        return Pipeline
    raise AttributeError(name)
