"""A write in a process of its own that kills itself at a given moment: ``python -m osiris_core.testing.crash``.

Its orders come as one JSON object on stdin, so that no secret is in its arguments or environment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from pyarrow import ipc

from osiris_core.secrets import Secret

if TYPE_CHECKING:
    from osiris_core.testing.connector import Connector

Moment = Literal["after_begin", "after_stage", "after_commit"]


def write_and_die(
    connector: Connector, table: str, data: pa.Table, write_mode: str, *, moment: Moment, run_key: str, **config: Any
) -> None:
    """Write in a process of its own, which dies by SIGKILL at ``moment``; returns once it is dead."""
    path = connector.work_dir / "crash.arrow"
    with ipc.new_file(str(path), data.schema) as sink:
        sink.write_table(data)
    pinned = connector.compiled("write", connector.write_config(table, write_mode, **config))
    fields = {
        name: {"secret": value.reveal()} if isinstance(value, Secret) else {"plain": value}
        for name, value in connector.connection.fields.items()
    }
    orders = {
        "component": connector.component,
        "family": connector.spec.family,
        "fields": fields,
        "config": dict(pinned),
        "data": str(path),
        "work_dir": str(connector.work_dir),
        "moment": moment,
        "run_key": run_key,
    }
    command = [sys.executable, "-m", "osiris_core.testing.crash"]
    done = subprocess.run(command, input=json.dumps(orders), capture_output=True, text=True, check=False)
    if done.returncode != -signal.SIGKILL:
        raise AssertionError(f"it should have been killed, but ended with {done.returncode}: {done.stderr[-2000:]}")


def main() -> None:
    """Follow the orders on stdin."""
    from osiris_core.connections import Connection
    from osiris_core.drivers import StepContext
    from osiris_core.plugins import Plugins
    from osiris_core.registry import Registry
    from osiris_core.testing.connector import PIPELINE, STEP, stream_of

    orders = json.load(sys.stdin)
    fields = {
        name: Secret(value["secret"]) if "secret" in value else value["plain"]
        for name, value in orders["fields"].items()
    }
    work_dir = Path(orders["work_dir"])
    context = StepContext("crash", orders["run_key"], PIPELINE, STEP, work_dir, work_dir / "work")
    driver = Registry(Plugins.load()).driver(orders["component"])
    with ipc.open_file(orders["data"]) as source:
        data = source.read_all()
    writer = driver.open_writer(Connection("under_test", orders["family"], fields), orders["config"], context)
    writer.begin()
    _die_at("after_begin", orders["moment"])
    writer.stage(stream_of(data), 0)
    _die_at("after_stage", orders["moment"])
    writer.commit()
    _die_at("after_commit", orders["moment"])


def _die_at(now: Moment, moment: Moment) -> None:
    if now == moment:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
