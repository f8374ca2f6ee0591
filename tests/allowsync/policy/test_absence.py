"""When an absence counts: agreed upon by nameservers, and contradicted by none."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.memory import HeldAddress, RetentionState
from allowsync.model.types import Family, Query
from allowsync.policy.absence import agreed, contested, contradicted, left_out
from allowsync.policy.tracking import unproven
from tests.support.values import ELSEWHERE, GONE, HOME, MOVED, SERVFAIL, T0, found, host, nets

NODATA = Absent("NODATA")


@pytest.mark.parametrize(
    ("everyone", "agreement", "absent"),
    [
        ([GONE], 1, True),
        ([GONE, GONE], 1, True),
        ([GONE, NODATA], 1, True),
        ([GONE, found(HOME)], 1, False),
        ([GONE, GONE, found(HOME)], 1, False),
        ([GONE, SERVFAIL], 1, False),
        ([GONE, GONE, SERVFAIL], 2, True),
        ([GONE, GONE, SERVFAIL], 3, False),
    ],
)
def test_two_have_to_prove_it_and_none_may_give_an_address(
    everyone: list[Answer], agreement: int, absent: bool
) -> None:
    answers = {str(number): one for number, one in enumerate(everyone)}
    after = agreed(GONE, answers, agreement)
    assert after == GONE if absent else isinstance(after, Unavailable)


def test_a_name_with_an_address_of_one_family_exists() -> None:
    alice, bob = ([Query(f"{name}.example.org", family) for family in Family] for name in "ab")
    answers: dict[Query, Answer] = {
        alice[0]: Absent("NXDOMAIN"), alice[1]: found("2a01::1"),
        bob[0]: found(HOME), bob[1]: NODATA,
    }  # fmt: skip
    after = contradicted(answers, [*alice, *bob])
    assert after.keys() == {alice[0]}
    assert isinstance(after[alice[0]], Unavailable)
    assert contradicted(answers, bob) == {}
    assert contradicted(dict.fromkeys(alice, Absent("NXDOMAIN")), alice) == {}


HELD = (HeldAddress(ip_address(HOME), T0, T0),)


@pytest.mark.parametrize(
    ("answer", "track", "expected"),
    [
        (GONE, RetentionState(HELD, T0), True),
        (GONE, RetentionState(), True),
        (GONE, RetentionState(HELD, T0, T0, 5), True),
        (GONE, RetentionState((), T0, T0, 5), False),
        (SERVFAIL, RetentionState(HELD, T0), False),
        (found(HOME), RetentionState(), False),
    ],
)
def test_only_an_absence_that_changes_something_has_to_be_agreed_upon(
    answer: Answer, track: RetentionState, expected: bool
) -> None:
    assert unproven(answer, track) is expected


def test_a_disagreement_names_who_gives_an_address() -> None:
    after = agreed(GONE, {"one": GONE, "two": found(HOME)}, 1)
    assert not isinstance(after, Found)
    assert "two" in after.reason


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(found(HOME), set()), (found(MOVED), {f"{HOME}/32"}), (GONE, set()), (SERVFAIL, set())],
)
def test_only_a_good_answer_leaves_a_network_out(answer: Answer, expected: set[str]) -> None:
    assert left_out(answer, RetentionState(HELD, T0), host()) == nets(*expected)


@pytest.mark.parametrize(
    ("everyone", "agreement", "is_contested"),
    [
        ([found(MOVED), SERVFAIL, SERVFAIL], 2, True),
        ([found(MOVED), GONE, found(HOME)], 2, True),
        ([found(MOVED), found(HOME, MOVED), found(HOME)], 2, True),
        ([found(MOVED), found(ELSEWHERE), found(HOME)], 2, False),
        ([found(MOVED), found(MOVED), SERVFAIL], 3, True),
    ],
)
def test_as_many_nameservers_as_have_to_agree_must_leave_a_network_out(
    everyone: list[Answer], agreement: int, is_contested: bool
) -> None:
    answers = {str(number): one for number, one in enumerate(everyone)}
    expected = nets(HOME) if is_contested else set()
    assert contested(nets(HOME), answers, host(), agreement) == expected
