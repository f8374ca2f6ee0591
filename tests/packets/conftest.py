"""A small internet for the tests of a module, with a clean server for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.echo import EchoIn
from tests.support.gates import FREE, GUARDED
from tests.support.internet import Internet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.echo import Echo


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
    return wires


@pytest.fixture
def echo(internet: Internet) -> Iterator[Echo]:
    """A service on the server, on a guarded port and a free one, that counts its visitors."""
    with EchoIn(internet.server, (GUARDED, FREE)) as serving:
        yield serving
