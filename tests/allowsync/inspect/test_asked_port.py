"""Explanations of one port: what stays of the targets, and who decides where none is at it."""

from __future__ import annotations

import pytest

from allowsync.inspect.access_at import AccessAt
from allowsync.inspect.asked_port import at_unguarded, unguarded
from allowsync.inspect.explain import AccessVerdict, Explanation, TargetAnswer
from allowsync.inspect.guarded_packets import PacketAnswers, questions
from allowsync.inspect.reachability import address_in
from allowsync.model.target import PortRange
from allowsync.packetpath.question import Answer, PacketVerdict
from tests.support.values import HOME, T0, net

PORT = PortRange(22, 22, "tcp")
ALONE = unguarded(PORT, ())
NO, YES, UNKNOWN = AccessVerdict.NO, AccessVerdict.YES, AccessVerdict.UNKNOWN


def explained(met: PacketVerdict | None, *places: AccessVerdict) -> Explanation:
    """What is said of an address at a port that no target guards, beside targets elsewhere."""
    scene = AccessAt(T0, T0, (), (), past=False)
    named = tuple(TargetAnswer(f"web/{number}", one) for number, one in enumerate(places))
    asked = questions(address_in(net(HOME)), ALONE.guard)
    found = {} if met is None else {one: (Answer(one, met, ("a rule",)),) for one in asked}
    answers = PacketAnswers(found, unknown="not permitted" if met is None else "")
    return at_unguarded(
        Explanation(HOME, None, net(HOME), scene, named, ()), PORT, (ALONE,), answers
    )


@pytest.mark.parametrize(
    ("met", "places", "verdict", "reason"),
    [
        (PacketVerdict.DELIVERED, (), YES, "22/tcp is guarded by no target"),
        (PacketVerdict.DROPPED, (), NO, "22/tcp is guarded by no target"),
        (None, (), UNKNOWN, "22/tcp is guarded by no target"),
        (
            PacketVerdict.DROPPED,
            (YES,),
            NO,
            "22/tcp is guarded by no target on this machine whose ports are known",
        ),
        # A file's server may be at any port: without packets, its list is all that is known.
        (None, (YES,), YES, None),
        (None, (NO,), NO, None),
        # A target that cannot be read may guard it.
        (PacketVerdict.DELIVERED, (UNKNOWN,), UNKNOWN, None),
    ],
)
def test_packets_decide_as_far_as_targets_are_known(
    met: PacketVerdict | None,
    places: tuple[AccessVerdict, ...],
    verdict: AccessVerdict,
    reason: str | None,
) -> None:
    answer = explained(met, *places)
    assert (answer.verdict, answer.reasons[-1:]) == (verdict, (reason,) if reason else ())
    assert [one.verdict for one in answer.places] == list(places)
    assert not any(one.startswith(":") for one in answer.open)
