"""Whether this installation is the one a manifest was compiled with, and allows what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.compile.build import ask_policies, distributions
from osiris_core.compile.model import Compiled
from osiris_core.compile.tables import check_sql
from osiris_core.drivers import StepView
from osiris_core.errors import CompileError, InvalidInputError

if TYPE_CHECKING:
    from osiris_core.registry import Registry
    from osiris_core.session import Session


def check_installed(compiled: Compiled, session: Session) -> None:
    """Refuse to run with other plugins than those compiled with, or what a policy plugin of this place objects to.

    Raises CompileError that names every distribution and spec which differs, or every objection; PluginError and
    InvalidInputError for a component that is broken or not installed at all.
    """
    specs = compiled.manifest["fingerprints"]["specs"]
    installed = distributions(session, specs)
    wanted = compiled.manifest["distributions"]
    faults = [
        f"{name} {version} is wanted, {installed.get(name, 'another plugin')} is installed"
        for name, version in sorted(wanted.items())
        if installed.get(name) != version
    ]
    faults += [
        f"the spec of {name} is not the one compiled with"
        for name, wanted_spec in sorted(specs.items())
        if session.registry.spec(name).fingerprint != wanted_spec
    ]
    if faults:
        raise CompileError("; ".join(faults), code="OSI-M006", hint="install what was compiled with, or compile again")
    ask_policies(compiled.manifest, session)


def check_compiled_sql(compiled: Compiled, registry: Registry) -> None:
    """Judge the SQL of a directory as ``validate`` did: its fingerprints say that it is whole, not who made it.

    Raises CompileError (OSI-M005) naming the first file whose SQL may not run.
    """
    for step in compiled.manifest["steps"]:
        view = StepView(
            step["id"], step["component"], step["mode"], step["connection"], tuple(step["needs"]),
            compiled.configs[step["id"]],
        )  # fmt: skip
        try:
            check_sql(view, registry.spec(step["component"]))
        except InvalidInputError as error:
            raise CompileError(
                f"{step['config']} holds SQL that may not run: {error.message}",
                code="OSI-M005",
                hint="compile again; a compiled pipeline is never edited by hand",
            ) from error
