"""Any entries a target may be made to hold, whose they are included, for Hypothesis."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from allowsync.model.types import Entry

if TYPE_CHECKING:
    from allowsync.model.types import Network

LABEL = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,39}", fullmatch=True)
NETWORK: st.SearchStrategy[Network] = st.one_of(
    st.builds(
        lambda bits, prefix: IPv4Network((bits, prefix), strict=False),
        st.integers(0, 2**32 - 1),
        st.integers(0, 32),
    ),
    st.builds(
        lambda bits, prefix: IPv6Network((bits, prefix), strict=False),
        st.integers(0, 2**128 - 1),
        st.integers(0, 128),
    ),
)


@st.composite
def held(draw: st.DrawFn) -> list[Entry]:
    found = []
    for network in draw(st.sets(NETWORK, max_size=8)):
        hosts = sorted(draw(st.sets(LABEL, max_size=4)))
        replaced = tuple(host for host in hosts if draw(st.booleans()))
        found.append(Entry(network, tuple(hosts), replaced))
    return found
