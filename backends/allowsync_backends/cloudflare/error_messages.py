"""API errors, in words that a person can act on. Pure."""

from __future__ import annotations

from typing import Final

from allowsync_backends.cloudflare.errors import (
    AMBIGUOUS,
    CloudflareError,
    NotFound,
    NotPermitted,
    RequestRefused,
    ServerTrouble,
    TokenRefused,
    TooMany,
)

_IN_USE: Final = 10031
# "Invalid access token", and a valid one from an address that its IP filtering refuses.
_TOKEN_OR_PLACE: Final = 9109


def what_happened(error: CloudflareError, kept: str = "") -> str:
    """Return an error in words, with advice.

    Args:
        error: The error.
        kept: The file, variable or credential with the token; empty if the reader knows it.
    """
    match error:
        case TokenRefused() if _TOKEN_OR_PLACE in error.codes:
            return (
                f"the API token is refused: {error}; is it the right one, not expired, and does "
                "its Client IP Address Filtering allow this machine's address?"
            )
        case TokenRefused():
            where = f"into {kept}" if kept else "where it is kept"
            return f"the API token is not a valid one: {error}; write a valid one {where}"
        case NotPermitted():
            return f"the API token lacks a permission: {permission(error)} ({error})"
        case NotFound():
            return f"{error}: is the account right, and is it still there?"
        case TooMany():
            return f"the API takes no more requests for now: {error}; try again later"
        case RequestRefused() if _IN_USE in error.codes:
            return f"a rule refers to the list: {error}"
        case ServerTrouble():
            return f"the API is in trouble: {error}"
        case RequestRefused():
            return f"the API refuses: {error}"
        case _:
            return str(error)


def permission(error: CloudflareError) -> str:
    """Return the permission a request needs, by the vendor's name."""
    writes = error.call.method != "GET"
    path = error.call.path
    if "/rulesets" in path:
        return f"Zone > Zone WAF: {'Edit' if writes else 'Read'}, on the zone"
    if path.startswith("/zones"):
        return "Zone > Zone: Read, on the zone"
    edit, write = ("Edit", "Write") if writes else ("Read", "Read")
    return (
        f"Account > Account Filter Lists: {edit}, on the account "
        f"(also called Account Rule Lists {write})"
    )


def unconfirmed(error: CloudflareError) -> bool:
    """Whether an error leaves open if a change was made."""
    changing = error.call.method != "GET" or "/bulk_operations/" in error.call.path
    return changing and (isinstance(error, AMBIGUOUS) or "/bulk_operations/" in error.call.path)
