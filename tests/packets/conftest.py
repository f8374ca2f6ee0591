"""A small internet for the tests of a module, with a clean server for each test."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest
from allowsync_backends.ipset.options import Variant

from tests.support import gates, ipsets
from tests.support.echo import EchoIn
from tests.support.gates import FREE, GUARDED
from tests.support.internet import Internet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.backend.protocols import Backend
    from tests.support.echo import Echo


class GateMaker(Protocol):
    """Makes the backend of a gate in front of the guarded port, unless told otherwise."""

    def __call__(self, *, interfaces: tuple[str, ...] = ("lo",)) -> Backend:
        """A gate, open from some interfaces."""
        ...


GATES: dict[str, GateMaker] = {
    "nftables": gates.gate,
    "iptables-nft": partial(ipsets.ipset_gate, variant=Variant.NFT),
    "iptables-legacy": partial(ipsets.ipset_gate, variant=Variant.LEGACY),
}


@pytest.fixture(params=GATES)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of gate there is."""
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def gate(kind: str) -> GateMaker:
    """A gate of that kind."""
    return GATES[kind]


@pytest.fixture(scope="module")
def wires() -> Iterator[Internet]:
    """The namespaces, laid once for a module."""
    with Internet() as internet:
        yield internet


@pytest.fixture
def internet(as_root: None, request: pytest.FixtureRequest) -> Internet:
    """The namespaces, without any firewall."""
    wires: Internet = request.getfixturevalue("wires")
    for namespace in wires:
        namespace.command("nft", "flush", "ruleset")
    ipsets.clean(wires.server)
    return wires


@pytest.fixture
def echo(internet: Internet) -> Iterator[Echo]:
    """A service on the server, on a guarded port and a free one, that counts its visitors."""
    with EchoIn(internet.server, (GUARDED, FREE)) as serving:
        yield serving
