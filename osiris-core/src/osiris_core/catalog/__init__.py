"""What exists behind each connection: discovered, fingerprinted, cached and probed."""

from osiris_core.catalog.model import Catalog, Column, ForeignKey, Scope, Table

__all__ = ["Catalog", "Column", "ForeignKey", "Scope", "Table"]
