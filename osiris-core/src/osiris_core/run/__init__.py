"""Running a compiled pipeline: the local engine, its events, its record."""

from osiris_core.run.runner import RunOptions, RunOutcome, run_compiled

__all__ = ["RunOptions", "RunOutcome", "run_compiled"]
