"""The local models' servers, started for as long as something is asked of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frozen import HERE


@contextmanager
def model_server(python: str, model: str) -> Iterator[str]:
    """The base URL of a server of ``model``: ``large``, ``small`` or a file of weights.

    ``python`` is an interpreter that has xllamacpp. The server ends with its standard input.
    """
    command = [python, str(HERE / "local_model.py"), model]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            url = process.stdout.readline().strip()
            if not url.startswith("http"):
                raise SystemExit(f"the model's server did not start: {Path(python).name} {model}")
            yield url
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
