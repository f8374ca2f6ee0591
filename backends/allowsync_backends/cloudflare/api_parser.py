"""Parser of API documents. Pure. An unknown form is an error, never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from allowsync_backends.cloudflare.values import (
    AccountList,
    BulkOperation,
    ListItem,
    ListKind,
    NewItem,
    NewRule,
    OperationStatus,
    PublishedRanges,
    Ruleset,
    Zone,
    ZoneRule,
)

if TYPE_CHECKING:
    from allowsync.model.types import Network


class ParseError(ValueError):
    """A document lacks a part, or has another value in its place."""


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a JSON object.

    Raises:
        ParseError: The value is something else.
    """
    if not isinstance(value, Mapping):
        raise ParseError(f"{_kind(value)} where an object was expected")
    return value


def sequence(value: Any) -> Sequence[Any]:
    """Return a JSON array.

    Raises:
        ParseError: The value is something else.
    """
    if not isinstance(value, list):
        raise ParseError(f"{_kind(value)} where a list was expected")
    return value


def perhaps_none(value: Any) -> Sequence[Any]:
    """Return a JSON array, where null stands for an empty one. Raises ParseError."""
    return () if value is None else sequence(value)


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _text(of: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = of.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise ParseError(f"{_kind(value)} as {key}")
    return value


def identifier(of: Mapping[str, Any], key: str = "id") -> str:
    """Return an id that is safe in a path.

    Raises:
        ParseError: It has other characters than ids have.
    """
    value = _text(of, key)
    if not (value.isascii() and value.replace("-", "").isalnum() and len(value) <= 64):
        raise ParseError(f"an {key} that is none")
    return value


def _number(of: Mapping[str, Any], key: str) -> int:
    value = of.get(key, 0)
    # Large accounts get their counts as floats; Python's JSON also reads some that are no number.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ParseError(f"{_kind(value)} as {key}")
    return value


def _instant(of: Mapping[str, Any], key: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(_text(of, key, ""))
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def network(text: str) -> Network:
    """Parse a network in the API's form: an address, or CIDR notation.

    Raises:
        ParseError: The text is no network.
    """
    # Python accepts the interface of a link-local address as a part of it.
    if "%" in text:
        raise ParseError("an address that is none")
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ParseError("an address that is none") from None


def account_list(document: Any) -> AccountList:
    """Parse a list. Raises ParseError."""
    of = mapping(document)
    return AccountList(
        identifier(of),
        _text(of, "name"),
        _list_kind(_text(of, "kind")),
        _text(of, "description", ""),
        _number(of, "num_items"),
        _number(of, "num_referencing_filters"),
        _instant(of, "modified_on"),
    )


def _list_kind(text: str) -> ListKind:
    try:
        return ListKind(text)
    except ValueError:
        # A list of an unknown kind must not block access to ours.
        return ListKind.OTHER


def item(document: Any) -> ListItem:
    """Parse an item of a list of addresses. Raises ParseError."""
    of = mapping(document)
    return ListItem(
        identifier(of),
        network(_text(of, "ip")),
        _text(of, "comment", ""),
        _instant(of, "modified_on"),
    )


def operation(document: Any) -> BulkOperation:
    """Parse the state of an operation. Raises ParseError."""
    of = mapping(document)
    try:
        status = OperationStatus(_text(of, "status"))
    except ValueError:
        raise ParseError("an operation of an unknown status") from None
    return BulkOperation(identifier(of), status, _text(of, "error", ""))


def zone(document: Any) -> Zone:
    """Parse a domain. Raises ParseError."""
    of = mapping(document)
    # https://developers.cloudflare.com/fundamentals/manage-domains/pause-cloudflare/
    status = "paused" if of.get("paused") is True else _text(of, "status", "active")
    account = identifier(mapping(of.get("account")))
    return Zone(identifier(of), _text(of, "name"), account, status)


def ruleset(document: Any) -> Ruleset:
    """Parse a ruleset with its rules; one without rules may lack the key. Raises ParseError."""
    of = mapping(document)
    return Ruleset(
        identifier(of),
        _text(of, "name", ""),
        _text(of, "phase"),
        tuple(_rule(one) for one in perhaps_none(of.get("rules"))),
    )


def _rule(document: Any) -> ZoneRule:
    of = mapping(document)
    return ZoneRule(
        identifier(of),
        _text(of, "expression", ""),
        _text(of, "action", ""),
        _text(of, "description", ""),
        of.get("enabled", True) is True,
        of,
    )


def published(document: Any) -> PublishedRanges:
    """Parse the published ranges. Raises ParseError."""
    of = mapping(document)
    texts = [*sequence(of.get("ipv4_cidrs")), *sequence(of.get("ipv6_cidrs"))]
    if not all(isinstance(one, str) for one in texts):
        raise ParseError("a range that is no text")
    return PublishedRanges(tuple(map(network, texts)), _text(of, "etag", ""))


def as_item(new: NewItem) -> dict[str, str]:
    """Format an item for the API: single addresses without their width."""
    single = new.network.prefixlen == new.network.max_prefixlen
    written = str(new.network.network_address if single else new.network)
    return {"ip": written, "comment": new.comment} if new.comment else {"ip": written}


def as_rule(new: NewRule) -> dict[str, Any]:
    """Format a rule for the API."""
    return {
        "expression": new.expression,
        "action": new.action,
        "description": new.description,
        "enabled": new.enabled,
    }
