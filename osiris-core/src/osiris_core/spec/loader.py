"""Loading a ``spec.yaml``: checked and bundled once, then read from a JSON cache.

The cache (``osiris/specs`` under the user's cache directory) is keyed by everything the result depends on; an entry
carries a checksum over its key and content. Whatever is wrong with an entry or with the directory, or when somebody
else could have written it, the spec is loaded from YAML again: it says which code is run.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from osiris_core import atomic
from osiris_core.errors import PluginError
from osiris_core.spec.bundle import COMMON_FILE
from osiris_core.spec.model import Spec

#: Raise it whenever what this module makes of a file changes.
LOADER_VERSION = 2


def load_spec(path: Path, owner: str) -> Spec:
    """The spec in ``path``, a file of plugin ``owner``.

    Raises PluginError naming the plugin when the file cannot be read or is not a valid spec.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise PluginError(f'plugin "{owner}": its spec {path} cannot be read: {reason}', code="OSI-P003") from error
    entry = _cache_entry(content)
    value = _read_cache(entry)
    if value is None:
        value = _from_yaml(content, path, owner)
        _write_cache(entry, value)
    return spec_from_json(value)


def spec_from_json(value: dict[str, Any]) -> Spec:
    """A ``Spec`` from the bundled, checked document, as it is cached."""
    return Spec(
        name=value["name"],
        version=value["version"],
        title=value["title"],
        description=value.get("description", ""),
        modes=tuple(value["modes"]),
        capabilities=value["capabilities"],
        config_schema=value["configSchema"],
        connection_schema=value.get("connectionSchema"),
        secrets=tuple(value.get("secrets", ())),
        driver=value["driver"],
        delivery=value.get("delivery", {}),
        examples=tuple(value["examples"]),
        context=value.get("context", {}),
        fingerprint=value["fingerprint"],
    )


def normalise(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its schemas bundled and its fingerprint added. Raises BundleError."""
    from osiris_core.canonical import fingerprint
    from osiris_core.spec.bundle import bundle

    value = dict(document)
    value["configSchema"] = {mode: bundle(schema) for mode, schema in document["configSchema"].items()}
    if document.get("connectionSchema") is not None:
        value["connectionSchema"] = bundle(document["connectionSchema"])
    return {**value, "fingerprint": fingerprint({"spec": value})}


def _from_yaml(content: bytes, path: Path, owner: str) -> dict[str, Any]:
    from osiris_core.spec.check import check_text

    document, problems = check_text(content, str(path))
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        first = errors[0]
        where = f"{path}:{first.span.line}" if first.span else str(path)
        raise PluginError(
            f'plugin "{owner}": its spec is not valid: {where}: {first.message}',
            code="OSI-P003",
            hint=f"{len(errors)} in all: osiris components check {path}",
        )
    return normalise(document.value)


def _cache_entry(content: bytes) -> Path | None:
    """Where the result of ``content`` is cached; None without a home directory."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # The XDG specification: a relative path is to be ignored.
        directory = Path(root) if root and Path(root).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    key = hashlib.sha256(b"%d\0" % LOADER_VERSION + COMMON_FILE.read_bytes() + b"\0" + content).hexdigest()
    return directory / "osiris" / "specs" / f"{key}.json"


def _read_cache(entry: Path | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    try:
        if not _is_private(entry.parent):
            return None
        with entry.open("rb") as file:
            if not _only_ours(os.fstat(file.fileno())):
                return None
            checksum, _, body = file.read().partition(b"\n")
        if _checksum(entry, body) != checksum:
            return None
        value: dict[str, Any] = json.loads(body)
        return value
    except (OSError, ValueError):
        return None


def _write_cache(entry: Path | None, value: dict[str, Any]) -> None:
    if entry is None:
        return
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        atomic.private_directory(entry.parent)
        if _is_private(entry.parent):
            atomic.write_bytes(entry, _checksum(entry, body) + b"\n" + body, private=True)
    except OSError:
        return  # a read-only home costs a few milliseconds per start, nothing else


def _checksum(entry: Path, body: bytes) -> bytes:
    return hashlib.sha256(entry.name.encode() + b"\0" + body).hexdigest().encode()


def _is_private(folder: Path) -> bool:
    return _only_ours(folder.stat()) and _only_ours(folder.parent.stat())


def _only_ours(status: os.stat_result) -> bool:
    """Whether nobody but this user could have written it; without users (Windows), the home directory says so."""
    return not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)
