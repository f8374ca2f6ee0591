"""What the API answers: a result in an envelope, or errors in one.

Every body is `{"success", "errors", "messages", "result"}`, and `result_info` where there are pages
(https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class FakeReply:
    """An answer before anything is done to it. `body` of `None` is sent as no body at all."""

    status: int
    body: bytes | None
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


class CallRefused(Exception):
    """The request is answered with an error.

    Attributes:
        status: The HTTP status.
        code: The code of the error in the envelope.
        message: Its text.
        headers: More headers of the answer.
        cause: Code and text of what caused it (`error_chain`).
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        headers: dict[str, str] | None = None,
        *,
        cause: tuple[int, str] | None = None,
    ) -> None:
        super().__init__(f"{status}: {message} ({code})")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.cause = cause

    @property
    def reply(self) -> FakeReply:
        """The answer that says it."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.cause is not None:
            error["error_chain"] = [{"code": self.cause[0], "message": self.cause[1]}]
        body = {
            "success": False,
            "errors": [error],
            "messages": [],
            "result": None,
        }
        return FakeReply(self.status, json.dumps(body).encode(), headers=self.headers)


def success(result: Any, info: dict[str, Any] | None = None, status: int = 200) -> FakeReply:
    """An answer that carries a result, and what there is to know of its pages."""
    body = {"success": True, "errors": [], "messages": [], "result": result}
    if info is not None:
        body["result_info"] = info
    return FakeReply(status, json.dumps(body).encode())


def invalid(message: str, code: int = 19400) -> CallRefused:
    """The request breaks a rule of the API."""
    return CallRefused(400, code, message)


def not_found(message: str, code: int = 19404) -> CallRefused:
    """There is nothing of that identifier."""
    return CallRefused(404, code, message)


def no_route(path: str) -> CallRefused:
    """Nothing has such a path, or an identifier in it cannot be one."""
    return CallRefused(
        404, 7003, f"Could not route to {path}, perhaps your object identifier is invalid?"
    )
