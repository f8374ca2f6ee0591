"""Errors of a cluster and of the way to it. Errors carry facts; text is for the edge."""

from __future__ import annotations

from typing import Any

from allowsync.model.value import Value, field


class KubernetesError(Exception):
    """A request failed."""

    # Whether the request may be repeated: a read, or a change, too.
    look_again = False
    change_again = False
    after = 0.0  # seconds of wait that the server asks for


class NoAccess(KubernetesError):
    """The settings of the cluster's access cannot be used: nothing was sent."""


class KubernetesUnreachable(KubernetesError):
    """No connection: the API never saw the request."""

    look_again = change_again = True


class KubernetesNoReply(KubernetesError):
    """The request was sent, and no whole reply came: a change may have been made."""

    look_again = True


class KubernetesOddReply(KubernetesError):
    """A reply of unknown form, or HTTP 5xx: a change may have been made."""

    look_again = True


class MissingApi(KubernetesError):
    """HTTP 404 for a kind of object that the cluster does not have."""


class ApiStatus(Value):
    """The `Status` of a refusal (Kubernetes, "API concepts").

    Attributes:
        code: The HTTP status.
        reason: The API's word for it: `Conflict`.
        message: Its sentence, made printable.
        details: Its object: its name and kind, causes, seconds to wait.
    """

    code: int
    reason: str = ""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class KubernetesRefused(KubernetesError):
    """The API refused (HTTP 4xx): nothing was changed."""

    def __init__(self, status: ApiStatus) -> None:
        super().__init__(status.message or f"HTTP {status.code}")
        self.status = status
        self.look_again = self.change_again = status.code == 429
        wait = status.details.get("retryAfterSeconds")
        self.after = float(wait) if isinstance(wait, int) else 0.0

    @property
    def managers(self) -> dict[str, str]:
        """The fields that other managers own, each with the API's text."""
        causes = self.status.details.get("causes")
        return {
            str(one.get("field")): str(one.get("message"))
            for one in (causes if isinstance(causes, list) else ())
            if isinstance(one, dict) and one.get("reason") == "FieldManagerConflict"
        }

    @property
    def is_stale(self) -> bool:
        """Whether another client changed the object since it was read."""
        return self.status.code == 409 and not self.managers
