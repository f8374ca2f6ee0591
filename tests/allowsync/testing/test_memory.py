"""The firewall in memory keeps the promises of a real one, and fails when told to."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.plan import Plan
from allowsync.model.target import Capabilities, Placement
from allowsync.model.types import Entry, Family
from allowsync.testing.contract import BackendContract
from allowsync.testing.memory import MemoryOptions, MemoryStore, memory_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.backend.protocols import Backend
    from allowsync.model.types import Network

HOME = Entry(ip_network("81.2.69.1"))
PLAN = Plan("x/memory", add=(HOME,))


class TestMemory(BackendContract):
    store: MemoryStore

    @pytest.fixture(autouse=True)
    def target(self) -> None:
        self.store = MemoryStore()

    def make(self) -> Backend:
        return made(self.store)

    def neighbour(self) -> None:
        """Its place is one allowlist's."""

    def plant(self) -> Iterable[Network]:
        self.store.others.add(ip_network("8.8.8.0/24"))
        return self.store.others

    def foreign(self) -> object:
        return set(self.store.others)

    def damage(self) -> bool:
        self.store.flaws.append("somebody stepped on it")
        return True

    def fingerprint(self) -> object:
        return (set(self.store.networks), len(self.store.applied))


class TestMemoryOfWholeAddresses(TestMemory):
    @pytest.fixture(autouse=True)
    def target(self) -> None:
        prefixes = {Family.IPV4: (32, 32)}
        self.store = MemoryStore(
            capabilities=Capabilities((Family.IPV4,), prefixes, max_entries=100)
        )


def made(store: MemoryStore) -> Backend:
    return memory_type(store).make(Placement("x", "x/memory"), MemoryOptions())


def test_told_to_fail_it_changes_nothing() -> None:
    store = MemoryStore(fail_apply="no", fail_read="neither")
    for step in (made(store).read, lambda: made(store).apply(PLAN), made(store).clear):
        with pytest.raises(BackendError):
            step()
    assert (store.networks, store.applied) == (set(), [])


@pytest.mark.parametrize("lands", [True, False])
def test_an_unknown_outcome_may_land_or_not(lands: bool) -> None:
    store = MemoryStore(unknown="the line went dead", lands=lands)
    with pytest.raises(OutcomeUnknown):
        made(store).apply(PLAN)
    assert (store.networks == {HOME.network}) is lands


def test_interference_passes_after_as_many_times_as_told() -> None:
    store = MemoryStore(again=1)
    with pytest.raises(BackendError) as raised:
        made(store).apply(PLAN)
    assert raised.value.again
    made(store).apply(PLAN)
    assert store.networks == {HOME.network}


def test_what_does_not_fit_is_refused() -> None:
    store = MemoryStore(capabilities=Capabilities((Family.IPV6,)))
    with pytest.raises(BackendError, match="does not fit"):
        made(store).apply(PLAN)
    store.capabilities = Capabilities(max_entries=0)
    with pytest.raises(BackendError, match="do not fit"):
        made(store).apply(PLAN)
