"""A key that no header can carry is refused by the name of its variable, and never shown."""

from __future__ import annotations

import httpx
import pytest

from osiris_core import ConfigurationError, Connection, Secret
from osiris_supabase.driver import SupabaseTable
from osiris_supabase.rest.errors import map_error
from osiris_supabase.settings import rest_place

KEY = "sb_secret_canary"


def connection(key: str) -> Connection:
    fields = {"url": "https://x.supabase.co", "key": Secret(key, "SHOP_KEY"), "channel": "rest"}
    return Connection("shop", "supabase", fields)


@pytest.mark.parametrize("key", [KEY + "\n", "a\n" + KEY, KEY + " ", KEY + "\0", KEY + "é", "\x7f" + KEY])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SupabaseTable().check(connection(key))
    assert (caught.value.code, caught.value.exit_code) == ("OSI-C006", 5)
    assert "SHOP_KEY" in caught.value.hint
    assert "canary" not in caught.value.message + caught.value.hint


def test_any_other_key_is_taken() -> None:
    assert rest_place(connection(KEY + "!~._-")).key == KEY + "!~._-"


def test_what_the_client_says_of_a_header_is_not_passed_on() -> None:
    fault = map_error(httpx.LocalProtocolError(f"Illegal header value {KEY.encode()!r}"))
    assert fault is not None
    assert "canary" not in fault.message + fault.hint


def test_a_long_answer_that_quotes_the_key_is_masked_before_it_is_cut() -> None:
    key = connection(KEY + "y" * 600).text("key")
    fault = map_error(httpx.ReadError(f"x {key}"))
    assert fault is not None
    assert "canary" not in fault.message
