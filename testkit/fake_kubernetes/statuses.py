"""Refusals as the API gives them: documents of the kind `Status`."""

from __future__ import annotations

from typing import Any, Final

_REASONS: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class Refusal(Exception):
    """A request that is not carried out."""

    def __init__(self, code: int, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.details = details

    @property
    def document(self) -> dict[str, Any]:
        """What goes back."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": _REASONS[self.code],
            "details": self.details,
            "code": self.code,
        }


def success(**details: Any) -> dict[str, Any]:
    """What goes back for something that was deleted."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def missing(plural: str, name: str) -> Refusal:
    """HTTP 404 for an object."""
    return Refusal(404, f'{plural} "{name}" not found', name=name, kind=plural)
