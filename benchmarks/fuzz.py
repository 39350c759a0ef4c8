"""Fuzz the loader of pipelines and the loader of specs for as long as you like.

    python benchmarks/fuzz.py oml --minutes 10
    python benchmarks/fuzz.py spec --minutes 10

Inputs are mutations of the repository's own pipelines, faults and specs. A crash, an input that takes over a second of
CPU, or a process of over 300 MB stops it with exit code 1 and leaves the input in a file. Minutes are CPU minutes.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from osiris_core.oml import load
from osiris_core.spec.check import check_text

ROOT = Path(__file__).parents[1]
SECONDS = 1.0
MEGABYTES = 300
_PIECES = [
    "&a ", "*a", "!!str ", "<<: ",
    "---\n", "...\n", "%TAG ! x\n", "? ", ": ", "- ", "[", "]", "{", "}", ", ", "#", "|\n  ",
    ">-\n  ", '"', "'", "\\", "\\x41", "\t", "\n", "\r\n", "\x85", "\u2028", "\ufeff", "\ud800", "\x00", "😀", "é", "@",
    "`", "%", "~", "null", "true", ".inf", "1e999", "0x", "9" * 500, "${params.x}", "password: x", "key: ", "x://a:b@c",
    "eyJhbGciOiJIUzI1NiJ9.e30.x", "$ref: '#/$defs/a'", "type: object", "pattern: '(a+)+$'", "oneOf: []",
    "urn:osiris:schema:common:v1#/$defs/table",
]  # fmt: skip


def check_oml(text: str) -> None:
    """Load a pipeline, and show every problem."""
    document = load(text)
    for problem in document.problems:
        if problem.span is not None:
            document.snippet(problem.span)
    if not document.parsed and not document.problems:
        raise AssertionError("neither read nor refused")


def check_spec(text: str) -> None:
    """Check a spec, and show every problem."""
    document, problems = check_text(text.encode("utf-8", "surrogatepass"), "spec.yaml")
    for problem in problems:
        if problem.span is not None:
            document.snippet(problem.span)


TARGETS: dict[str, tuple[Callable[[str], None], tuple[str, ...]]] = {
    "oml": (check_oml, ("osiris-core/tests/faults/*.yaml", "examples/**/*.yaml")),
    "spec": (check_spec, ("osiris-*/src/**/spec.yaml",)),
}


def mutated(text: str, others: list[str], chance: random.Random) -> str:
    """``text`` after a few changes: pieces put in, taken out, doubled, moved, or taken from another input."""
    for _ in range(chance.randint(1, 8)):
        at = chance.randint(0, len(text))
        to = min(len(text), at + int(chance.expovariate(0.05)))
        change = chance.randint(0, 6)
        if change == 0:
            text = text[:at] + chance.choice(_PIECES) * chance.choice([1, 1, 1, 2, 100, 3000]) + text[at:]
        elif change == 1:
            text = text[:at] + text[to:]
        elif change == 2:
            text = text[:at] + text[at:to] * chance.choice([2, 3, 200]) + text[to:]
        elif change == 3:
            text = text[:at] + chr(chance.choice([chance.randint(0, 127), chance.randint(0, 0xFFFF)])) + text[at + 1 :]
        elif change == 4:
            other = chance.choice(others)
            start = chance.randint(0, len(other))
            text = text[:at] + other[start : start + 200] + text[at:]
        elif change == 5:
            lines = text.split("\n")
            chance.shuffle(lines)
            text = "\n".join(lines)
        else:
            indent = " " * chance.randint(0, 12)
            text = text[:at] + "\n" + indent + text[at:]
    return text[: 2 * 1024 * 1024]


def main() -> int:
    """Fuzz until the minutes are over; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    check, patterns = TARGETS[arguments.target]
    seeds = [path.read_text("utf-8", "replace") for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    chance = random.Random(arguments.seed)
    slowest, count = 0.0, 0
    while time.process_time() < arguments.minutes * 60:
        text = mutated(chance.choice(seeds), seeds, chance)
        start = time.process_time()
        try:
            check(text)
        except Exception as error:
            return found(text, f"{type(error).__name__}: {error}")
        slowest = max(slowest, time.process_time() - start)
        count += 1
        if slowest > SECONDS:
            return found(text, f"it took {slowest:.2f} s")
        if megabytes() > MEGABYTES:
            return found(text, f"the process has {megabytes():.0f} MB")
    print(
        f"{arguments.target}: {count:,} inputs in {arguments.minutes:g} CPU minutes, no crash; "
        f"slowest {slowest * 1000:.0f} ms, at most {megabytes():.0f} MB"
    )
    return 0


def megabytes() -> float:
    """The most memory this program ever had."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)
    # Not ru_maxrss: on Linux that begins with what the parent held when it forked.
    peak = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak) / 1024


def found(text: str, what: str) -> int:
    """Keep the input, and say what it did."""
    file = Path("fuzz-finding.txt")
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    print(f"FOUND: {what}; the input is in {file}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
