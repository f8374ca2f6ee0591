"""What goes wrong on the way to a list: nobody is shut out, and the next run mends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError, OutcomeUnknown
from testkit.fake_cloudflare import (
    CutConnection,
    FailedCall,
    LateQuota,
    Meanwhile,
    OperationFails,
    OperationLate,
    RateLimited,
    TruncatedReply,
    Unsuccessful,
    Wrong,
)
from testkit.fake_cloudflare.state import OperationDelay
from tests.support.cloudflare_targets import held, keep, target
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync_backends.cloudflare.backend import CloudflareBackend

    from testkit.fake_cloudflare import FakeCloudflare, OrderedFault

ALICE, BOB, HAND = "81.2.69.1", "81.2.69.2", "203.0.113.9"
MINE = "allowsync:jellyfin::alice"


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))


@pytest.fixture
def backend(fake: FakeCloudflare) -> CloudflareBackend:
    """Alice is in, and something of somebody else."""
    fake.add_list("friends", {ALICE: MINE, HAND: "by hand"})
    return target(fake)


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, whether it befalls each attempt, and how a write ends that it befalls."""

    fault: OrderedFault
    ends: type[BackendError] | None
    always: bool = False

    def __str__(self) -> str:
        return f"{self.fault}{' always' if self.always else ''}"


# What the API does not tell is found out by looking: what was carried out is done, what was not is
# unknown, as it may still come.
CASES = [
    Case(OperationLate(OperationDelay(4, None)), None),
    Case(OperationLate(), OutcomeUnknown),
    Case(OperationFails(), BackendError),
    Case(RateLimited(), None),
    Case(RateLimited("3"), None),
    Case(RateLimited(), BackendError, always=True),
    Case(RateLimited("900"), BackendError, always=True),
    Case(FailedCall(500), OutcomeUnknown),
    Case(FailedCall(503), OutcomeUnknown),
    Case(FailedCall(520, html=True), OutcomeUnknown),
    Case(Unsuccessful(), BackendError),
    Case(Unsuccessful(status=401), BackendError),
    Case(Unsuccessful(status=403), BackendError),
    Case(Unsuccessful(10028, "duplicate items", 400), BackendError),
    Case(CutConnection(), OutcomeUnknown),
    Case(CutConnection(applied=True), None),
    Case(TruncatedReply(), None),
    Case(TruncatedReply(cut=True), None),
    Case(Wrong(), None),
]


def _meet(backend: CloudflareBackend, case: Case, wanted: tuple[str, ...]) -> None:
    """Carry it out, and hold how it ends to what was expected."""
    if case.ends is None:
        assert held(keep(backend, *wanted)) == set(wanted)
        return
    with pytest.raises(BackendError) as caught:
        keep(backend, *wanted)
    assert type(caught.value) is case.ends
    assert "fake-token" not in str(caught.value)
    if case.ends is OutcomeUnknown:
        assert "of the list friends may still be" in str(caught.value)


def _mended(fake: FakeCloudflare, backend: CloudflareBackend, wanted: tuple[str, ...]) -> None:
    """The next run, once the trouble is over and what was under way is done."""
    fake.faults.clear()
    fake.finish()
    assert held(keep(backend, *wanted)) == set(wanted)
    assert set(fake.items("friends")) == {*wanted, HAND}
    assert fake.items("friends")[HAND] == "by hand"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_addition_that_meets_a_fault_removes_nobody(
    fake: FakeCloudflare, backend: CloudflareBackend, case: Case
) -> None:
    fake.faults.add(case.fault, on="items.create", times=None if case.always else 1)
    _meet(backend, case, (BOB,))
    there = set(fake.items("friends"))
    lost = int(case.ends is not None and ALICE not in there)
    strangers = len(there - {ALICE, BOB, HAND})
    assert (lost, strangers) == (0, 0)
    _mended(fake, backend, (BOB,))
    record("faults", cases=1, lock_outs=lost, strangers=strangers)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_removal_that_meets_a_fault_keeps_everybody_else(
    fake: FakeCloudflare, backend: CloudflareBackend, case: Case
) -> None:
    fake.faults.add(case.fault, on="items.delete", times=None if case.always else 1)
    _meet(backend, case, (BOB,))
    lost = int(BOB not in fake.items("friends"))
    assert lost == 0
    _mended(fake, backend, (BOB,))
    record("faults", cases=1, lock_outs=lost, strangers=0)


def test_waiting_for_what_never_ends_has_an_end(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    fake.faults.add(OperationLate(), on="items.create")
    began = backend.clock.now()
    with pytest.raises(OutcomeUnknown, match=r"not finished after 1[0-2]\d s; 1 item of the list"):
        keep(backend, ALICE, BOB)
    assert 100 < backend.clock.now() - began < 150
    # While it is under way nobody can write: the run after it gives up, and says why.
    with pytest.raises(BackendError, match="takes no more requests for now"):
        keep(backend, ALICE, BOB)
    assert backend.clock.now() - began < 150 + 240
    _mended(fake, backend, (ALICE, BOB))


@pytest.mark.parametrize(
    "fault", [CutConnection(applied=True), CutConnection(), FailedCall(502)], ids=repr
)
def test_a_list_that_was_made_is_found_though_nobody_said_so(
    fake: FakeCloudflare, fault: OrderedFault
) -> None:
    backend = target(fake)
    fake.faults.add(fault, on="lists.create")
    if fault == CutConnection(applied=True):
        keep(backend, ALICE)
    else:
        with pytest.raises(OutcomeUnknown, match="the list friends may still be made"):
            keep(backend, ALICE)
    assert held(keep(backend, ALICE)) == {ALICE}
    record("faults", cases=1, lock_outs=0, strangers=0)


def test_what_becomes_visible_late_is_waited_for(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    fake.faults.add(OperationLate(), on="items.create")
    fake.faults.add(CutConnection(), on="operations.get", times=None)
    # Nobody can say how far it is; the second look at the items finds it done.
    fake.faults.add(Meanwhile(fake.finish), on="items.list", skip=3)
    assert held(keep(backend, ALICE, BOB)) == {ALICE, BOB}


def _full(fake: FakeCloudflare, late: bool) -> None:
    fake.add_list("others", [f"90.{n // 250}.{n % 250}.0/24" for n in range(9_998)])
    if late:
        fake.faults.add(LateQuota(), on="items.create", times=None)


@pytest.mark.parametrize("late", [True, False])
def test_a_full_account_is_explained_and_nobody_goes(
    fake: FakeCloudflare, backend: CloudflareBackend, late: bool
) -> None:
    _full(fake, late)
    with pytest.raises(BackendError, match="hold 10000 of 10000 items, and 1 item more") as caught:
        keep(backend, BOB)
    assert type(caught.value) is BackendError
    assert set(fake.items("friends")) == {ALICE, HAND}
    record("faults", cases=1, lock_outs=0, strangers=0)


def test_there_is_room_for_what_is_not_held_by_others(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    fake.add_list("others", [f"90.0.{number}.0/24" for number in range(100)])
    backend.read()
    assert backend.capabilities.max_entries == 10_000 - 100 - 1
    fake.plant("friends", BOB, "allowsync:ssh::bob")
    backend.read()
    assert backend.capabilities.max_entries == 10_000 - 100 - 1, "that one can be shared"


def test_a_plan_without_room_for_a_list_is_explained(fake: FakeCloudflare) -> None:
    fake.add_list("others")
    with pytest.raises(
        BackendError, match=r"friends cannot be made: .*a free plan has room for one"
    ):
        keep(target(fake), ALICE)


def test_pages_are_all_read_or_nothing_is_known(fake: FakeCloudflare) -> None:
    many = {f"90.0.{n // 250}.{n % 250}": MINE for n in range(1_203)}
    fake.add_list("friends", many)
    backend = target(fake)
    fake.forget()
    assert held(backend.read()) == set(many)
    assert fake.asked == ["lists.list"] + ["items.list"] * 3
    fake.faults.add(CutConnection(), on="items.list", times=None, skip=2)
    with pytest.raises(BackendError):
        backend.read()


def test_networks_wider_than_a_list_takes_are_left_out_before_anything_is_written(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    fake.forget()
    assert held(keep(backend, ALICE, "80.0.0.0/7", "2a00::/11")) == {ALICE}
    assert fake.writes == []
    assert held(keep(backend, ALICE, "80.0.0.0/8", "2a00::/12")) == {
        ALICE,
        "80.0.0.0/8",
        "2a00::/12",
    }
