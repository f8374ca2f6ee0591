"""Assumed answers: given by every nameserver, and the DNS is asked the rest once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.engine.assumption import AssumedDns, Assumption
from allowsync.model.types import Family, Query
from tests.support.values import SERVFAIL, found

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.model.answer import Answer

ALICE, BOB = (Query(f"{name}.example.org", Family.IPV4) for name in ("alice", "bob"))
GIVEN = found("81.2.69.1")


class CountedDns:
    """Gives everybody the same address, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Query] = []

    def __call__(self, queries: Iterable[Query]) -> Mapping[Query, Answer]:
        asked = list(queries)
        self.asked += asked
        return dict.fromkeys(asked, GIVEN)

    def survey(self, queries: Iterable[Query]) -> Mapping[Query, Mapping[str, Answer]]:
        return {query: {"a": one} for query, one in self(queries).items()}


def assumed(dns: CountedDns) -> AssumedDns:
    guess = Assumption("alice", "SERVFAIL", {ALICE: SERVFAIL})
    return AssumedDns(dns, ("a", "b"), (guess,), (ALICE, BOB))


def test_what_is_assumed_is_not_asked_and_said_by_every_nameserver() -> None:
    dns = CountedDns()
    assert assumed(dns)([ALICE, BOB]) == {ALICE: SERVFAIL, BOB: GIVEN}
    assert assumed(dns).survey([ALICE]) == {ALICE: {"a": SERVFAIL, "b": SERVFAIL}}
    assert dns.asked == [BOB]


def test_every_question_is_asked_once() -> None:
    dns = CountedDns()
    answers = assumed(dns)
    for _ in range(3):
        assert answers([ALICE, BOB])[BOB] == GIVEN
        assert answers.survey([BOB]) == {BOB: {"a": GIVEN}}
    assert dns.asked == [BOB, BOB]


def test_made_up_names_of_a_run_stand_for_those_of_later_runs() -> None:
    dns = CountedDns()
    answers = assumed(dns)
    first, second, third, fourth = (
        Query(f"{label}.example.org", Family.IPV4) for label in ("3fb1", "9c0d", "77aa", "0e0e")
    )
    elsewhere = Query("3fb1.example.net", Family.IPV4)
    assert answers([first, second]) == {first: GIVEN, second: GIVEN}
    assert answers([third, fourth]) == {third: GIVEN, fourth: GIVEN}
    assert answers([elsewhere]) == {elsewhere: GIVEN}
    assert dns.asked == [first, second, elsewhere]
