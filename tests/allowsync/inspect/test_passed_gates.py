"""What packets of a host say of a gate that it passes through a CDN."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from allowsync.inspect.access_at import AccessAt
from allowsync.inspect.explain import AccessVerdict, Explanation, TargetAnswer
from allowsync.inspect.guarded_packets import PacketAnswers
from allowsync.inspect.guarded_target import GuardedTarget
from allowsync.inspect.packet_verdicts import about_asked, beside_packets
from allowsync.model.target import Guard, PortRange
from allowsync.packetpath.question import Answer, PacketVerdict
from tests.support.values import HOME, T0, net

NAME, SAID = "origin/nftables", "it admits cloudflare, which alice can come through"
TARGET = GuardedTarget(NAME, Guard((PortRange(443, 443, "tcp"),)))
PLACE = TargetAnswer(NAME, AccessVerdict.NO, (), SAID, "cloudflare")


@pytest.mark.parametrize(
    ("met", "verdict", "said", "through"),
    [
        (PacketVerdict.DROPPED, AccessVerdict.NO, SAID, "cloudflare"),
        (PacketVerdict.UNKNOWN, AccessVerdict.UNKNOWN, SAID, "cloudflare"),
        (
            PacketVerdict.DELIVERED,
            AccessVerdict.YES,
            f"in no entry, and gets in: a rule; {SAID}",
            "",
        ),
    ],
)
def test_a_gate_that_is_passed_through_a_cdn_is_one_until_packets_get_in(
    met: PacketVerdict, verdict: AccessVerdict, said: str, through: str
) -> None:
    scene = AccessAt(T0, T0, (), (), past=False)
    answer = Explanation(HOME, None, net(HOME), scene, (PLACE,), ())
    arriving = {
        question: (Answer(question, met, ("a rule",)),)
        for _, question in about_asked(answer, [TARGET])
    }
    assert {one.source for one in arriving} == {ip_address(HOME)}
    (place,) = beside_packets(answer, [TARGET], PacketAnswers(arriving)).places
    assert (place.verdict, place.said, place.through) == (verdict, said, through)


def test_of_a_host_without_an_address_nothing_is_said_where_strangers_were_not_tried() -> None:
    scene = AccessAt(T0, T0, (), (), past=False)
    answer = Explanation("bob", "bob", None, scene, (TargetAnswer(NAME, AccessVerdict.NO),), ())
    assert list(about_asked(answer, [TARGET])) == []
    (place,) = beside_packets(answer, [TARGET], PacketAnswers()).places
    assert place.verdict is AccessVerdict.UNKNOWN
    assert place.said.endswith("is unknown: no way was found")
