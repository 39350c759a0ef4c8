"""DuckDB's MySQL and PostgreSQL extensions, for the benchmark: ``duckdb_move.py append|merge ORDERS``."""

import json
import sys
from pathlib import Path

import duckdb
import duckdb_ext

mode, orders = sys.argv[1], json.loads(sys.argv[2])
mysql, postgres, keys = orders["mysql"], orders["postgres"], ("host", "port", "user", "password")
folder = next(Path(next(iter(duckdb_ext.__path__))).rglob("mysql_scanner.duckdb_extension")).parent
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
for name in ("mysql_scanner", "postgres_scanner"):
    connection.execute(f"LOAD '{folder / name}.duckdb_extension'")
source = " ".join(f"{key}={mysql[key]}" for key in keys) + f" database={mysql['database']}"
target = " ".join(f"{key}={postgres[key]}" for key in keys) + f" dbname={postgres['database']}"
connection.execute("SET TimeZone = 'UTC'; SET mysql_tinyint1_as_boolean = false")
connection.execute(f"ATTACH '{source}' AS my (TYPE mysql); ATTACH '{target}' AS pg (TYPE postgres)")
if mode == "append":
    connection.execute("INSERT INTO pg.public.wide SELECT * FROM my.wide")
else:
    connection.execute("CALL postgres_execute('pg', 'CREATE UNLOGGED TABLE staged (LIKE wide)')")
    connection.execute("INSERT INTO pg.public.staged SELECT * FROM my.wide")
    connection.execute("CALL postgres_execute('pg', ?)", [orders["merge_sql"].format(staging="staged")])
    connection.execute("CALL postgres_execute('pg', 'DROP TABLE staged')")
