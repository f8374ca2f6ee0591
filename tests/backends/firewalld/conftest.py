"""A real firewalld on the server of the little internet, started once for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.firewalld import Firewalld
from tests.support.internet import Internet

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def internet(as_root: None) -> Iterator[Internet]:
    """The namespaces, laid once."""
    with Internet() as internet:
        yield internet


@pytest.fixture(scope="session")
def running(internet: Internet) -> Iterator[Firewalld]:
    """firewalld, running."""
    with Firewalld(internet.server) as firewalld:
        yield firewalld


@pytest.fixture
def firewalld(running: Firewalld) -> Firewalld:
    """firewalld as it was installed."""
    running.forget()
    return running
