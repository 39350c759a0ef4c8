"""Whether this installation is the one a manifest was compiled with, and allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.compile.build import ask_policies, distributions
from osiris_core.compile.model import Compiled
from osiris_core.errors import CompileError

if TYPE_CHECKING:
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
