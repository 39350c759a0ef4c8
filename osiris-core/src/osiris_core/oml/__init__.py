"""The pipeline language: text with positions, the pipeline it describes, and edits that keep its layout."""

from osiris_core.oml.document import Document
from osiris_core.oml.loader import load, load_file

__all__ = ["Document", "load", "load_file"]
