"""An explanation beside what packets meet, of a target that guards what is forwarded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.common.ports import Protocol

from allowsync.inspect.access_at import AccessAt
from allowsync.inspect.explain import AccessVerdict, Explanation, TargetAnswer
from allowsync.inspect.guarded_target import GuardedTarget
from allowsync.inspect.packet_verdicts import about_asked, beside_packets
from allowsync.inspect.packets import answered
from allowsync.inspect.reachability import about_strangers
from allowsync.model.target import Guard, PortRange
from allowsync.model.types import Entry
from tests.support import ufw
from tests.support.gates import allow, port
from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace
from tests.support.published import publish, with_container
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.types import Network

pytestmark = pytest.mark.root

FRIEND, STRANGER = net("81.2.69.142/32"), net("91.64.10.7/32")
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
TARGET: Final = GuardedTarget(
    "web/ufw", Guard((PortRange(8096, 8096, "tcp"),), forwarded=True), (Entry(FRIEND, ("alice",)),)
)


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with a container that UFW's rules for what is forwarded guard."""
    with Namespace() as namespace:
        with_uplink(namespace)
        ufw.with_ufw(namespace)
        with_container(namespace)
        ports = (port(8096, Protocol.TCP),)
        allow(namespace, ufw.backend(ports=ports, route=True), FRIEND)
        yield namespace


def explained(inside: Namespace, network: Network, verdict: AccessVerdict) -> Explanation:
    """An explanation of which the lists say what is given, beside packets."""
    scene = AccessAt(NOW, NOW, (), (), past=False)
    place = TargetAnswer(TARGET.name, verdict)
    answer = Explanation(str(network), None, network, scene, (place,), ())
    asked = (question for _, question in about_asked(answer, [TARGET]))
    answers = inside.run(answered, (*asked, *about_strangers([TARGET])))
    return beside_packets(answer, [TARGET], answers)


def test_whom_docker_forwards_gets_in_whatever_lists_say(inside: Namespace) -> None:
    publish(inside, 9000, 8096)
    answer = explained(inside, STRANGER, AccessVerdict.NO)
    assert answer.verdict is AccessVerdict.YES
    (met,) = answer.packets
    assert (met.answer.question.port, met.answer.to and met.answer.to[2]) == (9000, 8096)
    (opened,) = answer.open
    assert opened.startswith("web/ufw: 8096/tcp is open to everyone over IPv4 and IPv6")


def test_a_friend_behind_a_rule_of_docker_does_not_get_in(inside: Namespace) -> None:
    publish(inside, 9000, 8096)
    inside.command("sh", "-ec", "iptables -A DOCKER-USER -p tcp --dport 8096 -j DROP")
    answer = explained(inside, FRIEND, AccessVerdict.YES)
    assert answer.verdict is AccessVerdict.NO
    assert "has an entry, but no access: ip filter DOCKER-USER" in answer.places[0].said


def test_without_a_way_to_try_a_stranger_is_not_said_to_stay_out(inside: Namespace) -> None:
    answer = explained(inside, STRANGER, AccessVerdict.NO)
    assert answer.verdict is AccessVerdict.UNKNOWN
    assert answer.places[0].said.endswith("is unknown: no way was found")
