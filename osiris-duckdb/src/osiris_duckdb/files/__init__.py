"""``file.table``: CSV, Parquet and JSON Lines files under one directory."""
