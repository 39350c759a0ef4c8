"""What a spec says, and what importing a plugin costs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import ClassVar

from osiris_core.spec import Spec
from osiris_core.testing import marks
from osiris_core.testing.cli import unmeasured_environment

#: Modules that no plugin module may pull in: control-plane commands must stay quick.
HEAVY = ("pyarrow", "numpy", "pandas", "jsonschema_rs", "sqlglot")


class SpecSuite:
    """The spec is valid, its driver loads, its plugin is light."""

    component: ClassVar[str]
    plugin_module: ClassVar[str]
    client_libraries: ClassVar[tuple[str, ...]] = ()
    spec: ClassVar[Spec]

    def test_the_spec_is_valid_and_its_examples_validate(self) -> None:
        from pathlib import Path

        from osiris_core.plugins import Plugins
        from osiris_core.spec.check import check_text

        owned = [item.component for item in Plugins.load().components() if item.component.name == self.component]
        assert len(owned) == 1, f"{len(owned)} plugins own {self.component}"
        path = Path(owned[0].spec)
        _, problems = check_text(path.read_bytes(), str(path))
        assert [problem.message for problem in problems] == []

    def test_importing_the_plugin_pulls_in_no_client_library(self) -> None:
        loaded = _modules_after(f"import {self.plugin_module}")
        assert sorted(loaded & {*self.client_libraries, *HEAVY}) == []

    def test_importing_the_driver_pulls_in_no_client_library(self) -> None:
        """A driver module is imported for validation too."""
        loaded = _modules_after(f"import {self.spec.driver.partition(':')[0]}")
        assert sorted(loaded & set(self.client_libraries)) == []

    def test_every_advertised_field_has_a_demonstration(self) -> None:
        missing = marks.advertised(self.spec) - marks.demonstrated(type(self))
        assert sorted(missing) == [], (
            "each needs a test marked @demonstrates(mode, field) which shows that it changes behaviour"
        )

    def test_the_driver_has_a_method_for_each_capability(self) -> None:
        from osiris_core.drivers import Driver
        from osiris_core.testing.connector import installed

        driver = type(installed().driver(self.component))
        methods = {
            "discover": "discover",
            "read": "open_reader",
            "read.partitioned": "plan_partitions",
            "write.append": "open_writer",
            "write.merge": "open_writer",
            "write.replace": "open_writer",
            "transform": "transform",
        }
        missing = [
            f"{operation}: {method}"
            for operation, method in methods.items()
            if self.spec.support(operation) == "full" and getattr(driver, method) is getattr(Driver, method)
        ]
        assert missing == []


def _modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    # Unmeasured: coverage, in the process, would import modules of its own.
    env = unmeasured_environment()
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))
