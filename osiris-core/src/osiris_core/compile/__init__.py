"""Compiling: a validated pipeline becomes one canonical manifest that runs the same everywhere."""

from osiris_core.compile.build import compile_pipeline
from osiris_core.compile.lock import check_compiled_sql, check_installed
from osiris_core.compile.model import Compiled
from osiris_core.compile.store import load_compiled, write_compiled

__all__ = ["Compiled", "check_compiled_sql", "check_installed", "compile_pipeline", "load_compiled", "write_compiled"]
