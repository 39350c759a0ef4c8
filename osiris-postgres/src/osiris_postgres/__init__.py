"""PostgreSQL tables for Osiris: binary COPY, one transaction, exactly once."""

__version__ = "0.1.0"
