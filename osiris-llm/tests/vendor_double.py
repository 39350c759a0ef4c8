"""A loopback server that speaks what the vendors' SDKs speak: a double, labelled as one.

It answers with what a test scripted, in the wire format of OpenAI's chat completions, Anthropic's messages and
Google's generateContent, and refuses with 501 whatever else it is asked. Every request is kept for the test to see.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One scripted answer. ``status`` other than 200 gives the vendor's error body with ``text`` as message."""

    text: str = ""
    status: int = 200
    finish: str = "stop"
    delay: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Double:
    """A running double: its address, what it was asked, and what it could not answer."""

    url: str
    script: list[Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON bodies, in order."""
        return [request["body"] for request in self.requests]


@contextmanager
def vendor_double(script: Sequence[Answer | str | dict[str, Any]]) -> Iterator[Double]:
    """Serve ``script`` in order; the last answer is repeated."""
    answers = [item if isinstance(item, Answer) else Answer(_text(item)) for item in script]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    double = Double(f"http://127.0.0.1:{server.server_port}", answers)
    server.double = double  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert not double.unknown, f"the double does not implement {double.unknown}"


def _text(item: str | dict[str, Any]) -> str:
    return item if isinstance(item, str) else json.dumps(item)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        double: Double = self.server.double  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        speak = self._vendor()
        if speak is None:
            double.unknown.append(self.path)
            self._send(501, {"error": {"message": "not implemented by this double"}})
            return
        answer = double.script[min(len(double.requests), len(double.script) - 1)]
        double.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
        time.sleep(answer.delay)
        if answer.status != 200:
            self._send(answer.status, _error(speak, answer), answer.headers)
        else:
            self._send(200, speak(answer), answer.headers)

    def _vendor(self) -> Any:
        path = self.path.split("?")[0]
        if path.endswith("/chat/completions"):
            return _openai
        if path.endswith("/v1/messages"):
            return _anthropic
        return _google if path.endswith(":generateContent") else None

    def _send(self, status: int, value: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()) -> None:
        data = json.dumps(value).encode()
        try:
            self.send_response(status)
            for name, text in (("Content-Type", "application/json"), ("Content-Length", str(len(data))), *headers):
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True  # the client gave up waiting, as a test wanted

    def log_message(self, *args: Any) -> None:
        pass


def _openai(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.finish == "refusal":
        message = {"role": "assistant", "content": None, "refusal": answer.text}
    finish = "length" if answer.finish == "length" else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "double",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 64},
        },
    }


def _anthropic(answer: Answer) -> dict[str, Any]:
    reasons = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "double",
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": reasons[answer.finish],
        "stop_sequence": None,
        "usage": {
            "input_tokens": 36,
            "output_tokens": 20,
            "cache_read_input_tokens": 64,
            "cache_creation_input_tokens": 0,
        },
    }


def _google(answer: Answer) -> dict[str, Any]:
    reasons = {"stop": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": answer.text}]}, "finishReason": reasons[answer.finish]}
        ],
        "usageMetadata": {
            "promptTokenCount": 100,
            "candidatesTokenCount": 20,
            "totalTokenCount": 120,
            "cachedContentTokenCount": 64,
        },
    }


def _error(speak: Any, answer: Answer) -> dict[str, Any]:
    if speak is _google:
        return {"error": {"code": answer.status, "message": answer.text, "status": "ERROR"}}
    return {"type": "error", "error": {"type": "error", "message": answer.text, "code": None, "param": None}}
