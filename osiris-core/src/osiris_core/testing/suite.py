"""``ConnectorSuite``: the class a connector author inherits to prove what the spec promises.

    class TestShopTable(ConnectorSuite):
        component = "shop.table"
        plugin_module = "osiris_shop.plugin"
        client_libraries = ("shop_client",)

        @pytest.fixture
        def connector(self, shop_server, tmp_path):
            return Connector(self.component, shop_server.fields, tmp_path, execute=shop_server.execute)

        @demonstrates("read", "page_size")
        def test_page_size_bounds_a_request(self, connector): ...

Tests about what the spec does not promise are not part of the class; nothing is skipped at run time.
"""

from __future__ import annotations

from typing import ClassVar

import pytest

from osiris_core.spec import Spec
from osiris_core.testing import marks
from osiris_core.testing.connector import Connector, installed
from osiris_core.testing.suites.delivery import DeliverySuite
from osiris_core.testing.suites.discover import DiscoverSuite
from osiris_core.testing.suites.read import ReadSuite
from osiris_core.testing.suites.secrets import SecretsSuite
from osiris_core.testing.suites.spec import SpecSuite
from osiris_core.testing.suites.write import WriteSuite


class ConnectorSuite(SpecSuite, DiscoverSuite, ReadSuite, WriteSuite, DeliverySuite, SecretsSuite):
    """Everything at once. Inherit it, name the component, and make its connection in the fixture ``connector``.

    Attributes:
        component: the component's name.
        plugin_module: the module that its entry point names.
        client_libraries: top-level modules that only a running step may import.
        unsupported_columns: names of edge columns (``data.edge_values``) that the system cannot hold; each must
            be refused with an error that names the column.
    """

    component: ClassVar[str]
    plugin_module: ClassVar[str]
    client_libraries: ClassVar[tuple[str, ...]] = ()
    unsupported_columns: ClassVar[frozenset[str]] = frozenset()
    spec: ClassVar[Spec]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "component" not in vars(cls):
            return
        cls.spec = installed().spec(cls.component)
        for name in dir(cls):
            if name.startswith("test_") and not marks.applies(getattr(cls, name), cls.spec):
                setattr(cls, name, None)

    @pytest.fixture
    def connector(self) -> Connector:
        """The connector under test; override it."""
        raise NotImplementedError(f"{type(self).__name__} must define the fixture connector")
