"""Finding and importing plugins so that a broken one costs nothing but itself.

pluggy's own ``load_setuptools_entrypoints`` dies with the first broken plugin and lets the first of two equal
names win in silence; so the order here is: read entry-point metadata, apply the policy, import each plugin in its
own ``try``, check its API version and its hooks, and only then register it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

import pluggy

from osiris_core import API_VERSION, hookspecs
from osiris_core.problems import did_you_mean
from osiris_core.secrets import one_line

GROUP = "osiris"
#: Comma list of the plugins that may load; empty means none but core's own. Unset means all.
POLICY_VARIABLE = "OSIRIS_PLUGINS"
CORE_MODULE = "osiris_core.builtin"
_IMPL_MARK = "osiris_impl"  # the attribute HookimplMarker("osiris") sets

State = Literal["loaded", "partial", "disabled", "incompatible", "broken", "missing"]


@dataclass(slots=True)
class PluginStatus:
    """What became of one entry point.

    Attributes:
        name: the entry point's name, by which policies allow it.
        state: ``loaded``; ``partial`` (works, but a hook is unknown or failed); ``disabled`` by the policy;
            ``incompatible`` API version; ``broken``; ``missing`` (the policy names it, nothing provides it).
        error: why it is not ``loaded``, in one line.
        components: names of the components it owns.
    """

    name: str
    distribution: str = ""
    version: str = ""
    module: str = ""
    state: State = "loaded"
    error: str = ""
    api: str | None = None
    components: list[str] = field(default_factory=list)

    def degrade(self, error: str) -> None:
        """Record that one hook failed while the rest of the plugin works."""
        if self.state == "loaded":
            self.state = "partial"
        if error not in self.error:
            self.error = f"{self.error}; {error}" if self.error else error

    def to_json(self) -> dict[str, Any]:
        """As ``osiris plugins list --json`` prints it."""
        return {name: getattr(self, name) for name in self.__slots__}


class RefusedError(Exception):
    """A plugin that must not be registered: ``state`` and the reason."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state: State = state


def policy_from_environment() -> tuple[str, ...] | None:
    """The allow-list of ``OSIRIS_PLUGINS``; None when the variable is not set."""
    text = os.environ.get(POLICY_VARIABLE)
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def load_into(manager: pluggy.PluginManager, allow: Sequence[str] | None) -> list[PluginStatus]:
    """Register every allowed plugin; returns the state of all, by name.

    Plugins are registered in reverse order of their names: pluggy calls the last one first, so hooks run in
    the order of names whatever the order of installation.
    """
    found = sorted(entry_points(group=GROUP), key=lambda entry: (entry.value != CORE_MODULE, entry.name, entry.value))
    statuses: list[PluginStatus] = []
    ready: list[tuple[PluginStatus, object]] = []
    taken: dict[str, PluginStatus] = {}
    for entry in found:
        status = _describe(entry)
        statuses.append(status)
        try:
            _refuse_disallowed(status, allow)
            _refuse_second(status, taken)
            taken[status.name] = status
            ready.append((status, _import(entry, status)))
        except RefusedError as refused:
            status.state, status.error = refused.state, str(refused)
    for status, plugin in sorted(ready, key=lambda item: item[0].name, reverse=True):
        _register(manager, status, plugin)
    return statuses + list(_missing(allow, [status.name for status in statuses]))


def _describe(entry: EntryPoint) -> PluginStatus:
    status = PluginStatus(entry.name, module=entry.value)
    try:
        if entry.dist is not None:
            status.distribution, status.version = entry.dist.name, entry.dist.version
    except Exception as error:  # damaged metadata must not hide the plugin
        status.error = f"its metadata cannot be read: {one_line(error)}"
    return status


def is_core(status: PluginStatus) -> bool:
    """Whether this is core's own plugin, which no policy turns off."""
    return status.module == CORE_MODULE


def _refuse_disallowed(status: PluginStatus, allow: Sequence[str] | None) -> None:
    if allow is not None and status.name not in allow and not is_core(status):
        raise RefusedError("disabled", f"not in {POLICY_VARIABLE}" if allow else "plugins are turned off")


def _refuse_second(status: PluginStatus, taken: dict[str, PluginStatus]) -> None:
    first = taken.get(status.name)
    if first is not None:
        raise RefusedError(
            "broken", f'the plugin name "{status.name}" is taken by {first.distribution or first.module}'
        )


def _import(entry: EntryPoint, status: PluginStatus) -> object:
    """The plugin object, once everything that can be known without calling it is in order."""
    plugin = _guarded_import(entry, status)
    status.api = _checked_api(plugin)
    unknown = sorted(name for name, _ in _marked(plugin) if not hasattr(hookspecs, name))
    for name in unknown:
        known = [known for known in vars(hookspecs) if known.startswith("osiris_")]
        status.degrade(f"unknown hook {name}: {did_you_mean(name, known)}")
    return plugin


def _guarded_import(entry: EntryPoint, status: PluginStatus) -> object:
    module, _, attribute = status.module.partition(":")
    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints must not end up in machine output
            plugin: object = import_module(module)
            for name in filter(None, attribute.split(".")):
                plugin = getattr(plugin, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit included: a plugin cannot end our process
        raise RefusedError("broken", f"import failed: {one_line(error)}") from error
    return plugin


def _checked_api(plugin: object) -> str:
    api = getattr(plugin, "OSIRIS_API", None)
    if not isinstance(api, str):
        raise RefusedError(
            "incompatible", f'states no plugin API; core has {API_VERSION} (OSIRIS_API = "{API_VERSION}")'
        )
    if not compatible(api):
        raise RefusedError("incompatible", f"was built for plugin API {api}; core has {API_VERSION}")
    return api


def compatible(api: str) -> bool:
    """Whether a plugin for API ``api`` can be loaded: the same major, and a minor that core already has."""
    try:
        (major, minor), (our_major, our_minor) = (
            [int(part) for part in version.split(".")] for version in (api, API_VERSION)
        )
    except ValueError:
        return False
    return major == our_major and 0 <= minor <= our_minor


def _marked(plugin: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every hook implementation of ``plugin``: the hook's name and the marker's options."""
    for name in dir(plugin):
        try:
            options = getattr(getattr(plugin, name, None), _IMPL_MARK, None)
        except Exception:  # noqa: S112 - an attribute that raises is no hook
            continue
        if isinstance(options, dict):
            yield options.get("specname") or name, options


def _register(manager: pluggy.PluginManager, status: PluginStatus, plugin: object) -> None:
    for name, options in _marked(plugin):
        if options.get("wrapper") or options.get("hookwrapper"):
            status.state, status.error = "broken", f"{name}: hook wrappers are not supported"
            return
    try:
        manager.register(plugin, status.name)
    except Exception as error:  # a bad argument, or two entry points for one module
        status.state, status.error = "broken", one_line(error)


def _missing(allow: Sequence[str] | None, names: Iterable[str]) -> Iterator[PluginStatus]:
    names = list(names)
    for name in sorted(set(allow or ()) - set(names)):
        yield PluginStatus(
            name,
            state="missing",
            error=f"{POLICY_VARIABLE} names it, but it is not installed; {did_you_mean(name, names)}",
        )


def guard(call: Callable[[], Any]) -> Any:
    """``call()``, with anything but a deliberate error or Ctrl-C turned into ``HookFailedError``."""
    from osiris_core.errors import OsirisError

    try:
        return call()
    except (KeyboardInterrupt, OsirisError):
        raise
    except BaseException as error:  # SystemExit included
        raise HookFailedError(one_line(error)) from error


class HookFailedError(Exception):
    """A hook implementation raised something that is not one of our errors, or returned something else."""
