"""What may be stored in a list, and in which form it is stored.

Rules from https://developers.cloudflare.com/waf/tools/lists/ ("List names", "IP addresses") and its
"JSON object" page (lengths of descriptions and comments).
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from testkit.fake_cloudflare.replies import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS: Final = ("ip", "redirect", "hostname", "asn")

_NAME: Final = re.compile(r"[a-z0-9_]{1,50}", re.ASCII)
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?", re.ASCII)
_LONGEST: Final = 500
_WIDEST: Final = {4: 8, 6: 12}

# As tools record them; which of the second and the last is for what, the vendor does not publish.
INVALID_JSON: Final = 10026
INVALID_LIST: Final = 10027
DUPLICATE: Final = 10028
INVALID_ITEM: Final = 10035


def fields(body: Any, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """The body, when it is an object with these keys and no other."""
    if not isinstance(body, dict):
        raise invalid("the body has to be an object", INVALID_JSON)
    if missing := sorted(set(required) - set(body)):
        raise invalid(f"missing: {', '.join(missing)}", INVALID_JSON)
    if surplus := sorted(set(body) - set(required) - set(optional)):
        raise invalid(f"unknown field: {', '.join(surplus)}", INVALID_JSON)
    return body


def name(value: Any) -> str:
    """A name for a list."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise invalid("a name has 1 to 50 of the characters a-z, 0-9 and _", INVALID_LIST)
    return value


def kind(value: Any) -> str:
    """A kind of list."""
    if value not in KINDS:
        raise invalid(f"a kind is one of {', '.join(KINDS)}", INVALID_LIST)
    return str(value)


def description(value: Any) -> str | None:
    """What a list is described as."""
    return _note(value, "description", INVALID_LIST)


def _note(value: Any, what: str, code: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise invalid(f"a {what} is a text of at most {_LONGEST} characters", code)
    return value


def address(value: Any) -> str:
    """An address or network as it is stored: masked, compressed, without /32 and /128."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise invalid("not an IP address or a CIDR range", INVALID_ITEM)
    try:
        network = ip_network(value, strict=False)
    except ValueError as error:
        raise invalid("not an IP address or a CIDR range", INVALID_ITEM) from error
    if network.prefixlen < _WIDEST[network.version]:
        widest = f"a range of IPv{network.version} is /{_WIDEST[network.version]} or narrower"
        raise invalid(widest, INVALID_ITEM)
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)


def items(body: Any, kind: str) -> dict[str, tuple[Any, str | None]]:
    """The items to store, value and comment, by the text that tells them apart."""
    if not isinstance(body, list):
        raise invalid("the body has to be an array of items", INVALID_JSON)
    if not body:
        raise invalid("there are no items in it", INVALID_ITEM)
    found: dict[str, tuple[Any, str | None]] = {}
    for each in body:
        given = fields(each, (kind,), ("comment",))
        value = _value(given[kind], kind)
        if str(value) in found:
            raise invalid("the items contain duplicates", DUPLICATE)
        found[str(value)] = (value, _note(given.get("comment"), "comment", INVALID_ITEM))
    return found


def _value(value: Any, kind: str) -> Any:
    """What a list of that kind holds. Only addresses are looked at closely."""
    if kind == "ip":
        return address(value)
    expected = int if kind == "asn" else dict
    if not isinstance(value, expected):
        raise invalid(f"not what a list of the kind {kind} holds", INVALID_ITEM)
    return value


def identifiers(body: Any) -> list[str]:
    """The items to delete."""
    given = fields(body, ("items",))["items"]
    if not isinstance(given, list) or not given:
        raise invalid("there are no items in it", INVALID_ITEM)
    return [str(fields(each, ("id",))["id"]) for each in given]
