"""Memory does not grow with the table."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import json, resource, sys, tempfile
from pathlib import Path
import pyarrow as pa
from osiris_core.compile import Compiled
from osiris_core.data import BatchStream
from osiris_core.drivers import CommitResult, Driver
from osiris_core.engine import RunRequest
from osiris_core.run.local import LocalEngine

BATCHES, SHARED = int(sys.argv[1]), sys.argv[2] == "shared"
SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string())])

class Memory(Driver):
    def open_reader(self, connection, config, context, partition=None):
        columns = [pa.array(range(10_000)), pa.array(["x" * 100] * 10_000)]
        return BatchStream(SCHEMA, (pa.record_batch(columns, schema=SCHEMA) for _ in range(BATCHES)))
    def open_writer(self, connection, config, context):
        return Writer()

class Writer:
    rows = 0
    def begin(self): return None
    def read_state(self): return None
    def stage(self, stream, partition=0):
        for batch in pa.RecordBatchReader.from_stream(stream):
            self.rows += batch.num_rows
        return self.rows
    def commit(self, *, state=None, coerced=None): return CommitResult(self.rows)
    def abort(self): pass
    def close(self): pass

class Registry:
    def driver(self, name): return Memory()
    def spec(self, name):
        from osiris_core.spec import Spec
        return Spec(name, "1", "", ("read", "write"), {}, {}, None, (), "", {"default": "exactly_once"})

steps = [("r", "read", []), ("w", "write", ["r"])] + ([("v", "write", ["r"])] if SHARED else [])
manifest = {"name": "m", "steps": [
    {"id": i, "component": "memory.table", "mode": m, "connection": None, "needs": n} for i, m, n in steps]}
with tempfile.TemporaryDirectory() as name:
    request = RunRequest(Path(name), Path(name), Path(name), "r", "k",
                         compiled=Compiled(manifest, {i: {} for i, _, _ in steps}), registry=Registry())
    result = LocalEngine().run(request, lambda event: None, lambda: False)
assert result.status == "success", result
assert result.steps["w"]["written"] == BATCHES * 10_000
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


def peak_kb(batches: int, kind: str) -> int:
    done = subprocess.run([sys.executable, "-c", CODE, str(batches), kind], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout))


def test_memory_is_the_same_for_ten_times_the_rows() -> None:
    for kind in ("plain", "shared"):
        small, large = peak_kb(20, kind), peak_kb(200, kind)
        assert large < small * 1.15, f"{kind}: {small} KB, then {large} KB"
