"""Which rules ask for what packets for the same port have otherwise: these cost more packets."""

from __future__ import annotations

import struct
from typing import Final

import pytest

from allowsync.packetpath.forms import asks_form
from allowsync.packetpath.nftables import Expression

# Header, offset and length of what is loaded: as nft(8) writes it.
LOADS: Final = {
    "ip ttl": ((1, 8, 1), True),
    "ip6 hoplimit": ((1, 7, 1), True),
    "ip length": ((1, 2, 2), True),
    "udp length": ((2, 4, 2), True),
    "tcp window": ((2, 14, 2), True),
    "ip saddr": ((1, 12, 4), False),
    "ip6 saddr": ((1, 8, 16), False),
    "ip6 daddr": ((1, 24, 16), False),
    "ip protocol": ((1, 9, 1), False),
    "th dport": ((2, 2, 2), False),
    "tcp flags": ((2, 13, 1), False),
}


@pytest.mark.parametrize("what", LOADS)
def test_addresses_and_ports_are_no_form(what: str) -> None:
    place, is_form = LOADS[what]
    held = [(kind, struct.pack(">I", one)) for kind, one in enumerate((1, *place), 1)]
    assert asks_form([Expression("payload", held)]) is is_form
