"""``python -m osiris_core`` is the ``osiris`` command."""

import sys
from pathlib import Path

if not sys.flags.safe_path and sys.path[0] in ("", str(Path.cwd())):
    # Python puts the current directory first: a plugin must be installed, not lie where the command is typed.
    del sys.path[0]

from osiris_core.cli.program import program

program()
