"""``python -m osiris_core`` is the ``osiris`` command."""

import sys

from osiris_core.cli.main import main

sys.exit(main())
