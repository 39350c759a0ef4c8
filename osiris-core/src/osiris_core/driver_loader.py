"""Importing a driver, and saying precisely why that fails."""

from __future__ import annotations

from importlib import import_module

from osiris_core.drivers import Driver
from osiris_core.errors import PluginError
from osiris_core.secrets import one_line


def load_driver(target: str, what: str) -> Driver:
    """An instance of the driver class ``target`` (``"module:attr"``); ``what`` names its user in errors.

    Raises PluginError.
    """
    module_name, _, attribute = target.partition(":")
    try:
        driver_class = getattr(import_module(module_name), attribute)
        driver = driver_class()
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        raise _missing_module(error, module_name, target, what) from error
    except BaseException as error:
        raise PluginError(
            f"the driver {target} of {what} cannot be loaded: {one_line(error)}", code="OSI-P004"
        ) from error
    if not isinstance(driver, Driver):
        raise PluginError(f"the driver {target} of {what} is not a subclass of osiris_core.Driver", code="OSI-P004")
    return driver


def _missing_module(error: ModuleNotFoundError, module: str, target: str, what: str) -> PluginError:
    """The module itself is missing (the plugin is wrong), or something that it imports (an installation is)."""
    missing = error.name or ""
    if module == missing or module.startswith(f"{missing}."):
        return PluginError(
            f'the driver {target} of {what} does not exist: there is no module "{missing}"', code="OSI-P004"
        )
    return PluginError(
        f'the driver {target} of {what} needs the module "{missing}", which is not installed',
        code="OSI-P004",
        hint=f'install the package that provides "{missing}", or install the plugin again',
    )
