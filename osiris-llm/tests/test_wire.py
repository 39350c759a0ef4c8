"""The three vendors' SDKs, unmodified, against a loopback double: what is sent, and how faults are met."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from vendor_double import Answer, vendor_double

from osiris_core import Catalog, Column, ConfigurationError, Table
from osiris_core.context import Source, View, closed_schema
from osiris_llm.provider import Message, Provider, SchemaTooLargeError, without
from osiris_llm.providers.anthropic import AnthropicProvider
from osiris_llm.providers.google import GoogleProvider
from osiris_llm.providers.openai import CompatibleProvider, OpenAIProvider

VIEW = View(
    (
        Source(
            "shop",
            "duckdb.table",
            Catalog("duckdb.table", (Table("orders", (Column("id", "bigint", "int64"),)),)),
            True,
            ("append", "merge"),
        ),
    )
)
SCHEMA = closed_schema(VIEW)
MESSAGES = [
    Message("system", "rules"),
    Message("user", "copy orders"),
    Message("assistant", "{}"),
    Message("user", "again"),
]
VENDORS: dict[str, Callable[[str], Provider]] = {
    "openai": lambda url: OpenAIProvider("m", "sk-canary", f"{url}/v1"),
    "compatible": lambda url: CompatibleProvider("m", "sk-canary", f"{url}/v1"),
    "anthropic": lambda url: AnthropicProvider("m", "sk-canary", url),
    "google": lambda url: GoogleProvider("m", "sk-canary", url),
}
every_vendor = pytest.mark.parametrize("vendor", VENDORS)


def sent_schema(vendor: str, body: dict[str, Any]) -> Any:
    if vendor == "anthropic":
        return body["output_config"]["format"]["schema"]
    if vendor == "google":
        return body["generationConfig"]["responseJsonSchema"]
    return body["response_format"]["json_schema"]["schema"]


@every_vendor
def test_the_answer_its_tokens_and_the_cached_ones_come_back(vendor: str) -> None:
    with vendor_double([{"asked": "orders"}]) as double:
        answer = VENDORS[vendor](double.url).complete(MESSAGES, SCHEMA)
    assert answer.value == {"asked": "orders"}
    assert (answer.usage.prompt_tokens, answer.usage.output_tokens, answer.usage.cached_tokens) == (100, 20, 64)
    assert answer.finish == "stop"


@every_vendor
def test_the_closed_schema_is_sent_strict_and_the_key_is_in_no_body(vendor: str) -> None:
    with vendor_double(["{}"]) as double:
        VENDORS[vendor](double.url).complete(MESSAGES, SCHEMA)
    body = double.bodies[0]
    schema = sent_schema(vendor, body)
    assert schema["$defs"]["table"]["enum"] == ["orders"]
    assert schema["additionalProperties"] is False
    assert "sk-canary" not in json.dumps(body)


def test_openai_is_asked_for_strictness_and_given_a_cache_key_that_is_stable_per_catalogue() -> None:
    with vendor_double(["{}"]) as double:
        provider = VENDORS["openai"](double.url)
        provider.complete(MESSAGES[:2], SCHEMA)
        provider.complete([MESSAGES[0], Message("user", "another request")], SCHEMA)
        provider.complete([Message("system", "another catalogue"), MESSAGES[1]], SCHEMA)
    first, second, third = double.bodies
    assert first["response_format"]["json_schema"]["strict"] is True
    assert first["prompt_cache_key"] == second["prompt_cache_key"] != third["prompt_cache_key"]


def test_anthropic_is_given_a_cached_system_block() -> None:
    with vendor_double(["{}"]) as double:
        VENDORS["anthropic"](double.url).complete(MESSAGES, SCHEMA)
    body = double.bodies[0]
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]


def test_google_gets_no_keyword_that_eats_its_budget() -> None:
    with vendor_double(["{}"]) as double:
        VENDORS["google"](double.url).complete(MESSAGES, SCHEMA)
    assert "maxItems" not in json.dumps(double.bodies[0])
    assert "maxLength" not in json.dumps(double.bodies[0])


def test_keywords_are_dropped_and_property_names_are_not() -> None:
    schema = {"type": "object", "properties": {"maxItems": {"type": "array", "maxItems": 3}}, "enum": [{"maxItems": 1}]}
    kept = without(schema, frozenset({"maxItems"}))
    assert kept == {"type": "object", "properties": {"maxItems": {"type": "array"}}, "enum": [{"maxItems": 1}]}


@every_vendor
@pytest.mark.parametrize("finish", ["length", "refusal"])
def test_a_cut_off_answer_and_a_refusal_are_told_apart(vendor: str, finish: str) -> None:
    with vendor_double([Answer('{"asked":', finish=finish)]) as double:
        answer = VENDORS[vendor](double.url).complete(MESSAGES, SCHEMA)
    assert answer.finish == finish
    assert answer.value is None


@every_vendor
@pytest.mark.parametrize(
    ("status", "code"), [(401, "OSI-C031"), (403, "OSI-C031"), (404, "OSI-C033"), (500, "OSI-C032"), (529, "OSI-C032")]
)
def test_a_status_becomes_a_fault_with_its_mend_and_without_the_key(vendor: str, status: int, code: str) -> None:
    headers = (("Retry-After", "0"), ("retry-after-ms", "1"))
    with (
        vendor_double([Answer("no: sk-canary", status=status, headers=headers)]) as double,
        pytest.raises(ConfigurationError) as error,
    ):
        VENDORS[vendor](double.url).complete(MESSAGES, SCHEMA)
    assert error.value.code == code
    assert error.value.hint
    assert "sk-canary" not in error.value.message


@every_vendor
def test_a_busy_provider_is_asked_again_and_then_answers(vendor: str) -> None:
    busy = Answer("slow down", status=429, headers=(("Retry-After", "0"), ("retry-after-ms", "1")))
    with vendor_double([busy, Answer('{"asked": "x"}')]) as double:
        answer = VENDORS[vendor](double.url).complete(MESSAGES, SCHEMA)
    assert answer.value == {"asked": "x"}
    assert len(double.requests) == 2


@every_vendor
def test_a_schema_refused_for_its_size_says_so(vendor: str) -> None:
    refused = Answer("Invalid schema: too many states", status=400)
    with vendor_double([refused]) as double, pytest.raises(SchemaTooLargeError):
        VENDORS[vendor](double.url).complete(MESSAGES, SCHEMA)


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_no_answer_in_time_is_a_fault_that_may_be_tried_again(vendor: str) -> None:
    with vendor_double([Answer("{}", delay=1.0)]) as double, pytest.raises(ConfigurationError) as error:
        VENDORS[vendor](double.url).complete(MESSAGES, SCHEMA, timeout=0.2)
    assert error.value.retryable


@every_vendor
def test_a_provider_that_is_not_there_is_exit_5(vendor: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        VENDORS[vendor]("http://127.0.0.1:9").complete(MESSAGES, SCHEMA)
    assert error.value.exit_code == 5
