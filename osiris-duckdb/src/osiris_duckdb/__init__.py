"""DuckDB tables, SQL transforms and CSV, Parquet and JSONL files for Osiris: the embedded default."""

__version__ = "0.1.0"
