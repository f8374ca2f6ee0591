"""What packets show is said of hosts and of strangers, and what was not tried is named."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Final

import pytest

from allowsync.inspect.access_at import AccessAt
from allowsync.inspect.explain import AccessVerdict, Explanation, TargetAnswer
from allowsync.inspect.guarded_packets import PacketAnswers
from allowsync.inspect.guarded_target import MOST_FORWARDED, MOST_FRIENDS, GuardedTarget
from allowsync.inspect.packet_verdicts import about_asked, beside_packets
from allowsync.inspect.reachability import about_friends, judged
from allowsync.model.target import Guard, PortRange
from allowsync.model.types import Entry
from allowsync.packetpath.question import Answer, PacketVerdict

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
PORTS: Final = (PortRange(443, 443, "tcp"),)
FIRST: Final = int(ip_address("81.0.0.0"))
ENTRIES: Final = tuple(Entry(ip_network(FIRST + one)) for one in range(MOST_FRIENDS + 76))


def said(target: GuardedTarget) -> list[str]:
    return [found.what for _, found in judged([target], PacketAnswers())]


def test_of_many_entries_those_that_were_not_tried_are_counted() -> None:
    asked = len({one.source for one in about_friends([GuardedTarget("x", Guard(PORTS), ENTRIES)])})
    assert MOST_FRIENDS / 2 <= asked <= MOST_FRIENDS
    assert said(GuardedTarget("x", Guard(PORTS), ENTRIES)) == [
        f"packets of {asked} entries were tested, {len(ENTRIES) - asked} others were not"
    ]
    assert said(GuardedTarget("x", Guard(PORTS), ENTRIES[:MOST_FRIENDS])) == []
    forwarded = GuardedTarget("x", Guard(PORTS, forwarded=True), ENTRIES[: MOST_FORWARDED * 2])
    assert said(forwarded) == [
        f"packets of {MOST_FORWARDED} entries were tested, 32 others were not"
    ]


def test_an_explanation_says_what_was_not_seen() -> None:
    scene = AccessAt(NOW, NOW, (), (), past=False)
    answer = Explanation("1.2.3.4", None, ip_network("1.2.3.4"), scene, (), ())
    told = beside_packets(answer, (), PacketAnswers(caveats=("an XDP program", "3 neighbours")))
    assert told.reasons == (
        "not seen or not tested, and may decide as well: an XDP program; 3 neighbours",
    )
    assert beside_packets(answer, (), PacketAnswers()).reasons == ()


@pytest.mark.parametrize(
    ("listed", "verdict", "said"),
    [
        (
            AccessVerdict.YES,
            AccessVerdict.NO,
            (
                "has an entry, but no access: routing: route blackhole to 1.2.3.4 "
                "(its replies do not arrive)"
            ),
        ),
        (AccessVerdict.NO, AccessVerdict.YES, "in no entry, and gets in: a rule"),
    ],
)
def test_who_gets_no_answer_does_not_get_in_as_a_host_and_does_as_a_stranger(
    listed: AccessVerdict, verdict: AccessVerdict, said: str
) -> None:
    target, why = GuardedTarget("x", Guard(PORTS)), "routing: route blackhole to 1.2.3.4"
    scene = AccessAt(NOW, NOW, (), (), past=False)
    place = TargetAnswer("x", listed)
    answer = Explanation("1.2.3.4", None, ip_network("1.2.3.4"), scene, (place,), ())
    found = {
        question: (Answer(question, PacketVerdict.DELIVERED, ("a rule",), unanswered=why),)
        for _, question in about_asked(answer, [target])
    }
    (told,) = beside_packets(answer, [target], PacketAnswers(found)).places
    assert (told.verdict, told.said) == (verdict, said)
