"""Osiris: describe components once, discover what exists, and run only what can be true.

Everything a plugin or an embedding program may import is listed in ``__all__``; the names are loaded on
first use, so that ``import osiris_core`` costs next to nothing.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
#: Version of the plugin API. A plugin states the one it was built for (``OSIRIS_API = "1.0"``);
#: the same major and an equal or lower minor are accepted.
API_VERSION = "1.0"

