"""Errors of Cloudflare's API and of the way to it. Errors carry facts; text is for the edge.

The messages of the API are not parsed: they are shown, made printable and shortened.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from allowsync.model.value import Value

# Longer messages of the API are cut off there.
LONGEST_MESSAGE = 300  # characters


class ApiFault(Value):
    """One entry of the `errors` of a response."""

    code: int
    message: str


class ApiCall(Value):
    """A request as shown in errors: never its headers, never its body."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class CloudflareError(Exception):
    """A request failed."""

    call: ApiCall

    def __post_init__(self) -> None:
        super().__init__(str(self.call))


@dataclass
class Unsent(CloudflareError):
    """No connection: the API never saw the request, so nothing was changed."""

    why: str

    def __str__(self) -> str:
        return f"no connection to the API: {self.why}"


@dataclass
class NoReply(CloudflareError):
    """The request was sent, but no whole reply came: a write may have been carried out."""

    why: str

    def __str__(self) -> str:
        return f"no reply to {self.call}: {self.why}"


@dataclass
class UnreadableReply(CloudflareError):
    """A reply of unknown form: a page of HTML, a truncated document, a missing field."""

    status: int
    why: str

    def __str__(self) -> str:
        return f"{self.call}: HTTP {self.status} with {self.why}"


@dataclass
class RequestRefused(CloudflareError):
    """The API refused the request, with reasons.

    Attributes:
        status: The HTTP status; 200 for a reply that only its `success` marks as an error.
        faults: The reply's `errors`.
    """

    status: int
    faults: tuple[ApiFault, ...] = ()

    @property
    def codes(self) -> frozenset[int]:
        """The codes of all faults."""
        return frozenset(one.code for one in self.faults)

    def __str__(self) -> str:
        said = "; ".join(f"{one.message} ({one.code})" for one in self.faults)
        return said or f"HTTP {self.status}"


@dataclass
class TokenRefused(RequestRefused):
    """HTTP 401, or 400 and 403 with the code of unusable credentials: the token is not accepted."""


@dataclass
class NotPermitted(RequestRefused):
    """HTTP 403: the token is valid, but not for this."""


@dataclass
class NotFound(RequestRefused):
    """HTTP 404: no such account, list, item, operation, zone or ruleset."""


@dataclass
class TooMany(RequestRefused):
    """HTTP 429: an operation of the account is still pending, or the rate is too high.

    `retry_after` is in seconds; None when the reply does not say. Nothing was changed.
    """

    retry_after: float | None = None


@dataclass
class ServerTrouble(RequestRefused):
    """HTTP 5xx in the API's own form: a write may have been carried out."""


@dataclass
class OperationFailed(CloudflareError):
    """An asynchronous operation ended without success. `why` is the API's reason."""

    why: str

    def __str__(self) -> str:
        return f"the operation failed: {self.why}"


@dataclass
class OperationUnfinished(CloudflareError):
    """An asynchronous operation was accepted, but its end was not seen in time."""

    waited: float
    why: str = field(default="")

    def __str__(self) -> str:
        reason = f" ({self.why})" if self.why else ""
        return f"the operation has not finished after {self.waited:.0f} s{reason}"


@dataclass
class AccountBusy(CloudflareError):
    """Another process of this machine is writing to the account, and did not finish in time."""

    waited: float

    def __str__(self) -> str:
        return f"another process has been writing to this account for {self.waited:.0f} s"


# After these it is unknown whether a write was carried out.
AMBIGUOUS = (NoReply, UnreadableReply, ServerTrouble, OperationUnfinished)


def printable(text: str) -> str:
    """Return text of the API without control characters, shortened."""
    shown = "".join(one if one.isprintable() else "?" for one in text)
    return shown if len(shown) <= LONGEST_MESSAGE else shown[: LONGEST_MESSAGE - 1] + "…"
