"""The nouns: their defaults are what the guide promises, their names what outputs show."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allowsync.model.answer import Unavailable
from allowsync.model.clock import Clock
from allowsync.model.memory import Inherited
from allowsync.model.outcome import Outcome
from allowsync.model.types import BOTH_FAMILIES, Basis, Family, Grant, Host, Limits, Policy
from allowsync.policy.decision import Decision
from tests.support.values import HOME, T0, host, net


def test_nothing_is_believed_or_forgotten_sooner_than_promised() -> None:
    assert Policy() == Policy(
        keep_unavailable=timedelta(days=3),
        keep_absent=timedelta(hours=1),
        absent_runs=6,
        keep_replaced=timedelta(minutes=15),
        replaced_runs=3,
        latch_absent=timedelta(days=7),
        max_addresses=4,
        max_sharing=1,
        max_moves=12,
        canary=True,
        accept=(),
    )
    assert Limits() == Limits(max_remove_hosts=0.5, always_allow_hosts=1, allow_empty=False)


def test_a_host_has_both_families_an_address_of_ipv4_and_a_home_of_ipv6() -> None:
    assert Host("alice") == Host("alice", (), (), BOTH_FAMILIES, 32, 64, None, Policy())


def test_an_address_has_32_bits_or_128() -> None:
    assert [family.bits for family in BOTH_FAMILIES] == [32, 128]


OUTCOMES = ["unchanged", "planned", "applied", "refused", "failed", "unknown"]


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (Family, ["ipv4", "ipv6"]),
        (Basis, ["fresh", "stale", "replaced", "former", "fixed", "granted"]),
        (Clock, ["steady", "backwards", "jumped"]),
        (Outcome, [*OUTCOMES, "unrecorded"]),
    ],
)
def test_what_is_shown_and_remembered_has_names_that_never_change(
    names: type[Family | Basis | Clock | Outcome], values: list[str]
) -> None:
    assert [one.value for one in names] == values


def test_what_nothing_is_said_about_is_nothing() -> None:
    grant = Grant("alice", net(HOME), Basis.FIXED, T0, T0)
    assert (grant.ends, grant.hostname, grant.why) == (None, "", "")
    assert not Unavailable("SERVFAIL").suspicious
    assert Inherited(net(HOME), T0).runs == 1
    decision = Decision(host())
    assert (decision.undecided, decision.unheard, decision.ended) == (False, False, False)
