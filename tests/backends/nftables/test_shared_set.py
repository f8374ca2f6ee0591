"""Sets of the user's own as different versions of nft list them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allowsync_backends.nftables.shared_set import shared_set

from allowsync.backend.api import BackendError
from allowsync.model.types import Family

MARK = "allowsync:web"


def listing(declared: Any, address: str) -> str:
    """A set as `nft -j list set` prints it, with an element of ours and one of somebody else."""
    ours = {"elem": {"val": address, "comment": MARK}}
    found = {"family": "inet", "name": "f", "table": "filter", "type": declared,
             "handle": 3, "flags": ["interval"], "elem": [ours, "192.0.2.1"]}  # fmt: skip
    return json.dumps({"nftables": [{"metainfo": {"json_schema_version": 1}}, {"set": found}]})


def payload(protocol: str, name: str) -> Any:
    return {"typeof": {"payload": {"protocol": protocol, "field": name}}}


@pytest.mark.parametrize(
    "declared",
    [
        "ipv4_addr",
        payload("ip", "saddr"),
        payload("ip", "daddr"),
        payload("arp", "saddr ip"),
        {"typeof": {"ct": {"key": "ip saddr", "dir": "original"}}},
    ],
)
def test_a_set_is_known_by_its_type_or_by_what_it_is_the_type_of(declared: Any) -> None:
    found = shared_set("inet filter f", Family.IPV4, MARK, listing(declared, "81.2.69.1"))
    assert [one.text for one in found.ours] == ["81.2.69.1"]
    assert [one.text for one in found.others] == ["192.0.2.1"]


@pytest.mark.parametrize(
    "declared",
    [
        "ipv6_addr",
        ["ipv4_addr", "inet_service"],
        payload("ip6", "saddr"),
        payload("tcp", "dport"),
        payload("ip", "ttl"),
        {"typeof": {"ct": {"key": "ip6 saddr", "dir": "original"}}},
        {"typeof": {"concat": [payload("ip", "saddr")["typeof"]]}},
        {"typeof": {"meta": {"key": "mark"}}},
        None,
        {},
    ],
)
def test_a_set_of_anything_else_is_refused(declared: Any) -> None:
    with pytest.raises(BackendError, match="not of type ipv4_addr"):
        shared_set("inet filter f", Family.IPV4, MARK, listing(declared, "81.2.69.1"))
