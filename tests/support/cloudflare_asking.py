"""Asks the fake Cloudflare whatever a test likes, right or wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testkit.fake_cloudflare import FakeCloudflare


@dataclass(frozen=True, slots=True)
class FakeResponse:
    """An answer. `code` is that of its first error, 0 if it has none."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        assert self.json["success"], self.json
        return self.json["result"]

    @property
    def code(self) -> int:
        return next((int(error["code"]) for error in self.json["errors"]), 0)

    @property
    def error(self) -> tuple[int, int]:
        """The status and the code."""
        return self.status, self.code


@dataclass
class FakeRequests:
    """Sends requests with the token of the fake."""

    fake: FakeCloudflare
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> FakeResponse:
        """One request. `body` is sent as JSON; bytes are sent as they are."""
        base = urlsplit(self.fake.url)
        sent = {"Authorization": f"Bearer {self.fake.token}", "Content-Type": "application/json"}
        sent |= self.headers | {key.replace("_", "-"): value for key, value in headers.items()}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = HTTPConnection(base.netloc, timeout=60)
        try:
            kept = {key: value for key, value in sent.items() if value}
            connection.request(method, base.path + path, data, kept)
            answer = connection.getresponse()
            return FakeResponse(answer.status, answer.read(), dict(answer.headers))
        finally:
            connection.close()

    @property
    def lists(self) -> str:
        """The path of the lists."""
        return f"/accounts/{self.fake.account}/rules/lists"

    def items(self, name: str) -> str:
        """The path of the items of a list."""
        return f"{self.lists}/{self.fake.lists[name].id}/items"

    def write(self, method: str, name: str, body: Any) -> dict[str, Any]:
        """Write items, and ask until the operation is over."""
        operation = self(method, self.items(name), body).result["operation_id"]
        for _ in range(100):
            state: dict[str, Any] = self.state(operation)
            if state["status"] not in ("pending", "running"):
                return state
        raise AssertionError(state)

    def state(self, operation: str) -> dict[str, Any]:
        """How far an operation is."""
        found: dict[str, Any] = self("GET", f"{self.lists}/bulk_operations/{operation}").result
        return found
