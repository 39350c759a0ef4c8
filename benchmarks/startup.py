"""CPU time of whole processes, in multiples of ``python -c pass``: the median of several rounds, and their spread.

    python benchmarks/startup.py [ROUNDS]

The commands take turns, so that a busy moment of the machine falls on all of them. Bytecode is compiled first.
"""

from __future__ import annotations

import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

#: Command and how many times the bare start it may cost.
COMMANDS: dict[str, tuple[list[str], float]] = {
    "osiris --help": (["--help"], 7),
    "osiris plugins list": (["plugins", "list"], 11),
    "osiris components list": (["components", "list"], 14),
}
PER_ROUND = 5


def cpu_seconds(command: list[str], environment: dict[str, str], directory: str) -> float:
    """User and system time of one process, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, cwd=directory, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def compile_bytecode() -> None:
    """What an installer does; without it every start would measure the compiler."""
    for package in ("osiris_core", "osiris_duckdb", "osiris_mysql", "osiris_postgres", "osiris_supabase", "osiris_llm"):
        spec = find_spec(package)
        for directory in (spec.submodule_search_locations or ()) if spec else ():
            compileall.compile_dir(directory, quiet=2)


def main(rounds: int) -> int:
    """Print the figures; 1 when a median is over its limit."""
    compile_bytecode()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    script = str(Path(sys.executable).with_name("osiris"))
    commands = {name: [script, *arguments] for name, (arguments, _) in COMMANDS.items()}
    ratios: dict[str, list[float]] = {name: [] for name in commands}
    bare_seconds: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        for command in commands.values():
            cpu_seconds(command, environment, directory)  # fills the caches
        for _ in range(rounds):
            samples: dict[str, list[float]] = {name: [] for name in ("", *commands)}
            for _ in range(PER_ROUND):
                samples[""].append(cpu_seconds([sys.executable, "-c", "pass"], environment, directory))
                for name, command in commands.items():
                    samples[name].append(cpu_seconds(command, environment, directory))
            bare = statistics.median(samples.pop(""))
            bare_seconds.append(bare)
            for name, seconds in samples.items():
                ratios[name].append(statistics.median(seconds) / bare)
    print(f"python -c pass: {statistics.median(bare_seconds) * 1000:.1f} ms CPU ({sys.version.split()[0]})")
    over = False
    for name, (_, limit) in COMMANDS.items():
        median = statistics.median(ratios[name])
        over |= median > limit
        print(f"{name:26} {median:5.1f} x   ({min(ratios[name]):.1f} to {max(ratios[name]):.1f}; limit {limit:g})")
    return int(over)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
