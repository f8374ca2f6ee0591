"""A DNS that lies in every way we know of, over real packets, and what is left of access then."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from allowsync.model.types import Family
from tests.faults.lies import broken, found, negative
from tests.faults.lies.case import Over
from tests.faults.lies.telling import Told, tell
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from allowsync.model.types import Network

LIES = {**found.CASES, **negative.CASES, **broken.CASES}
TOLD = {Over.UDP: {**LIES, **found.UDP_ONLY}, Over.TCP: LIES, Over.TLS: LIES}

Outcome: TypeAlias = tuple[dict[str, Told], "frozenset[Network]"]

# Nearly all of that is in the first test of each transport and family.
pytestmark = pytest.mark.slow

# One run tells them all: what it came to is kept for as long as the process that runs these tests.
_OUTCOMES: dict[tuple[Family, Over], Outcome] = {}


@pytest.fixture(params=list(Over), ids=lambda over: over.value)
def over(request: pytest.FixtureRequest) -> Over:
    which: Over = request.param
    return which


@pytest.fixture(params=list(Family), ids=lambda family: family.value)
def family(request: pytest.FixtureRequest) -> Family:
    which: Family = request.param
    return which


@pytest.fixture
def outcome(over: Over, family: Family, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    key = (family, over)
    if key not in _OUTCOMES:
        folder = tmp_path_factory.mktemp("lies")
        _OUTCOMES[key] = tell(folder, family, TOLD[over], over)
    return _OUTCOMES[key]


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_taken_for_what_it_is(name: str, over: Over, outcome: Outcome) -> None:
    told = outcome[0][name]
    assert told.says is LIES[name].of(over), told.judged
    assert not told.lost


@pytest.mark.parametrize("name", found.UDP_ONLY)
@pytest.mark.parametrize("over", [Over.UDP])
def test_a_stranger_is_not_heard(name: str, over: Over, outcome: Outcome) -> None:
    told = outcome[0][name]
    assert told.says is found.UDP_ONLY[name].says
    assert not told.lost


def test_no_lie_costs_a_friend_his_access_or_lets_a_stranger_in(
    family: Family, over: Over, outcome: Outcome
) -> None:
    told, strangers = outcome
    lost = sorted(name for name, one in told.items() if one.lost)
    record(
        f"dns_faults_{family.value}",
        transport=over.value,
        behaviours=len(told),
        lost=len(lost),
        strangers=len(strangers),
    )
    record("lockouts", where=f"a lying DNS, {family.value}, {over.value}", count=len(lost))
    record("strangers", where=f"a lying DNS, {family.value}, {over.value}", count=len(strangers))
    assert (lost, strangers) == ([], frozenset())
    assert len(told) >= 81
