"""dlt, for the benchmark: ``dlt_move.py best|defaults append ORDERS`` (JSON: mysql, postgres, rows, work)."""

import json
import os
import sys
from importlib import import_module

set_up, mode, orders = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
mysql, postgres = orders["mysql"], orders["postgres"]
os.environ["DLT_DATA_DIR"] = orders["work"]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

# Only now: dlt reads its settings when it is imported.
dlt, sql_table = import_module("dlt"), import_module("dlt.sources.sql_database").sql_table

best = set_up == "best"
source = f"mysql+pymysql://{mysql['user']}:{mysql['password']}@{mysql['host']}:{mysql['port']}/{mysql['database']}"
target = f"postgresql://{postgres['user']}:{postgres['password']}@{postgres['host']}:{postgres['port']}/{postgres['database']}"
resource = sql_table(credentials=source, table="wide", backend="connectorx" if best else "sqlalchemy")
pipeline = dlt.pipeline(
    "bench", destination=dlt.destinations.postgres(target), dataset_name=orders["schema"], pipelines_dir=orders["work"]
)
options = {"loader_file_format": "parquet"} if best else {}
info = pipeline.run(resource, table_name="wide", primary_key="id", write_disposition=mode, **options)
info.raise_on_failed_jobs()
