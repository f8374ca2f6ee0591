"""Addresses as typed by people, within the limits of a list. Pure.

Widths and lengths: developers.cloudflare.com/waf/tools/lists/, "Lists with IP addresses".
"""

from __future__ import annotations

import re
from ipaddress import ip_interface, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from allowsync.model.types import Network

LONGEST_COMMENT: Final = 500  # characters
WIDEST: Final = {4: 8, 6: 12}  # bits

_FORM: Final = re.compile(r"[0-9a-fA-F:.]{1,45}(?:/[0-9]{1,3})?")


class NotTakenError(ValueError):
    """A list cannot hold that; the text holds the reason, and an alternative."""


def network(text: str) -> Network:
    """Parse an address or a network.

    Raises:
        NotTakenError: The text is no network, or one that no list can hold.
    """
    if not _FORM.fullmatch(text):
        raise NotTakenError("is not an address or a network such as 203.0.113.0/24")
    try:
        interface = ip_interface(text)
    except ValueError:
        raise NotTakenError("is not an address or a network such as 203.0.113.0/24") from None
    found = interface.network
    if found.network_address != interface.ip:
        raise NotTakenError(
            "is an address inside a network: "
            f"did you mean {found} (all of it) or {ip_network(interface.ip)} (this address)?"
        )
    widest = WIDEST[found.version]
    if found.prefixlen < widest:
        raise NotTakenError(f"is too wide: a list takes /{widest} and narrower")
    return found


def comment(text: str) -> str:
    """Check a comment.

    Raises:
        NotTakenError: It is too long, or has control characters.
    """
    if len(text) > LONGEST_COMMENT:
        raise NotTakenError(f"has a comment of more than {LONGEST_COMMENT} characters")
    if not text.isprintable():
        raise NotTakenError("has a comment with a control character or a line break in it")
    return text


def short(one: Network) -> str:
    """Format a network as a list shows it: a single address without its width."""
    return str(one.network_address if one.prefixlen == one.max_prefixlen else one)
