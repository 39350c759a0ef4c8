"""No secret in any message, finding, catalog or error."""

from __future__ import annotations

from typing import ClassVar

from osiris_core.catalog.model import Scope
from osiris_core.run.faults import StepFault, explain
from osiris_core.secrets import Redactor
from osiris_core.spec import Spec
from osiris_core.testing.connector import Connector

#: Long, unlike anything else, and full of what breaks a carelessly built URL.
CANARY = "c4nary:p@ss/w#rd?&=%25'\"\\-zx81"


class SecretsSuite:
    """A wrong password is refused in words that do not hold it."""

    spec: ClassVar[Spec]

    def test_secrets_never_come_out(self, connector: Connector) -> None:
        wrong = {pointer.removeprefix("/"): CANARY for pointer in self.spec.secrets}
        connection = connector.connection_with(**wrong)
        driver = connector.driver
        seen = [f"{connection!r}", *(f"{finding!r}" for finding in driver.check(connection))]
        for call in (
            lambda: driver.discover(connection, Scope()),
            lambda: driver.probe(connection, Scope()),
            lambda: driver.open_reader(connection, {"table": "t"}, connector.context()),
        ):
            try:
                seen.append(f"{call()!r}")
            except Exception as error:
                explained = explain(StepFault("load", driver, error), Redactor(), moved=False)
                seen += [explained.message, explained.hint, f"{error!r}", f"{error}"]
        leaks = [text for text in seen if _leaks(text)]
        assert leaks == []

    def test_an_unknown_error_is_left_to_others(self, connector: Connector) -> None:
        assert connector.driver.map_error(ZeroDivisionError("not yours")) is None


def _leaks(text: str) -> bool:
    """Whether the canary, or a piece of it that a URL parser would cut out, is in ``text``."""
    return any(piece in text for piece in (CANARY, "c4nary", "ss/w#rd", "-zx81"))
