"""Who gets through a real UFW, by real packets."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.packets.test_many_applies import is_felt_by_nobody
from tests.support.echo import EchoIn
from tests.support.gates import GUARDED, allow
from tests.support.internet import (
    CONTAINER,
    CONTAINER6,
    FRIEND,
    FRIEND6,
    FRIEND_TOO,
    FRIEND_TOO6,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
)
from tests.support.probe import IN_VAIN, PATIENCE, tcp_answers, udp_answers
from tests.support.sampling import share
from tests.support.ufw import backend, with_ufw

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.echo import Echo
    from tests.support.internet import Internet

pytestmark = pytest.mark.root

EVERY_WAY = [
    pytest.param(tcp_answers, SERVER, id="tcp-ipv4"),
    pytest.param(tcp_answers, SERVER6, id="tcp-ipv6"),
    pytest.param(udp_answers, SERVER, id="udp-ipv4"),
    pytest.param(udp_answers, SERVER6, id="udp-ipv6"),
]
SCALE = (share(40, 10), share(6_000, 1_500))  # applies and datagrams


@pytest.fixture
def guarded(internet: Internet) -> Internet:
    """The little internet, whose server has a UFW."""
    with_ufw(internet.server)
    return internet


@pytest.mark.parametrize(("answers", "server"), EVERY_WAY)
def test_a_friend_gets_in_and_a_stranger_does_not(
    guarded: Internet, echo: Echo, answers: Callable[..., bool], server: str
) -> None:
    allow(guarded.server, backend(), FRIEND, FRIEND6)
    assert answers(guarded.friend, server, GUARDED)
    assert not answers(guarded.stranger, server, GUARDED, wait=IN_VAIN)
    assert not echo.seen.keys() & {STRANGER, STRANGER6}


@pytest.mark.parametrize(("answers", "server"), EVERY_WAY)
def test_who_is_added_gets_in_and_who_is_removed_does_not(
    guarded: Internet, echo: Echo, answers: Callable[..., bool], server: str
) -> None:
    first, too = (FRIEND6, FRIEND_TOO6) if ":" in server else (FRIEND, FRIEND_TOO)
    allow(guarded.server, backend(), FRIEND, FRIEND6)
    assert answers(guarded.friend, server, GUARDED, source=first)
    assert not answers(guarded.friend, server, GUARDED, source=too, wait=IN_VAIN)
    allow(guarded.server, backend(), FRIEND_TOO, FRIEND_TOO6)
    assert answers(guarded.friend, server, GUARDED, source=too)
    assert not answers(guarded.friend, server, GUARDED, source=first, wait=IN_VAIN)


@pytest.mark.parametrize(
    "denial", ["deny 443", "reject 443/tcp", "deny in on eth0 to any port 443"]
)
def test_who_moves_gets_in_though_the_port_was_denied_by_hand(
    guarded: Internet, echo: Echo, denial: str
) -> None:
    both = ((SERVER, FRIEND, FRIEND_TOO), (SERVER6, FRIEND6, FRIEND_TOO6))
    allow(guarded.server, backend(), FRIEND, FRIEND6)
    guarded.server.command("ufw", *denial.split())
    for server, first, _ in both:
        assert tcp_answers(guarded.friend, server, GUARDED, source=first)
    after = allow(guarded.server, backend(), FRIEND_TOO, FRIEND_TOO6)
    assert (after.flaws, after.ineffective) == ((), {})
    for server, _, too in both:
        assert tcp_answers(guarded.friend, server, GUARDED, source=too)
        assert not tcp_answers(guarded.stranger, server, GUARDED, wait=IN_VAIN)
    guarded.server.command("ufw", "reload")
    for server, _, too in both:
        assert tcp_answers(guarded.friend, server, GUARDED, source=too)


@pytest.mark.parametrize(("server", "own"), [(SERVER, FRIEND), (SERVER6, FRIEND6)])
@pytest.mark.parametrize("ending", [True, False], ids=["ends", "goes-on"])
def test_a_running_stream_ends_when_access_is_taken_away_unless_it_may_go_on(
    guarded: Internet, echo: Echo, server: str, own: str, ending: bool
) -> None:
    target = backend(end_streams=ending)
    allow(guarded.server, target, FRIEND, FRIEND6)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with guarded.friend.run(socket.socket, family, socket.SOCK_STREAM) as stream:
        stream.bind((own, 0))
        stream.settimeout(PATIENCE)
        stream.connect((server, GUARDED))
        assert goes_on(stream)
        allow(guarded.server, target, FRIEND, FRIEND6, "9.9.9.9")
        assert goes_on(stream)
        allow(guarded.server, target, FRIEND_TOO)
        assert goes_on(stream, IN_VAIN if ending else PATIENCE) is not ending


def goes_on(stream: socket.socket, wait: float = PATIENCE) -> bool:
    """Whether a running stream is still answered."""
    stream.settimeout(wait)
    try:
        stream.sendall(b"knock")
        return stream.recv(64) == b"knock"
    except (TimeoutError, ConnectionError):
        return False


@pytest.mark.parametrize("container", [CONTAINER, CONTAINER6])
def test_route_rules_let_friends_through_to_what_is_behind(
    guarded: Internet, container: str
) -> None:
    with EchoIn(guarded.container, (GUARDED,)):
        allow(guarded.server, backend(), FRIEND, FRIEND6)
        assert not tcp_answers(guarded.friend, container, GUARDED, wait=IN_VAIN)
        allow(guarded.server, backend(route=True), FRIEND, FRIEND6)
        assert tcp_answers(guarded.friend, container, GUARDED)
        assert not tcp_answers(guarded.stranger, container, GUARDED, wait=IN_VAIN)
        allow(guarded.server, backend(route=True), FRIEND_TOO)
        assert not tcp_answers(guarded.friend, container, GUARDED, wait=IN_VAIN)


@pytest.mark.slow
def test_no_change_is_felt_by_a_friend_or_used_by_a_stranger(guarded: Internet) -> None:
    established = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    for program, prefix in (("iptables", "ufw"), ("ip6tables", "ufw6")):
        # Without it, every single packet has to get past the rules.
        argv = (program, "-D", f"{prefix}-before-input", *established.split())
        guarded.server.command(*argv)

    def disturb() -> None:
        """Add a rule that is to go again, so that all of the file is loaded."""
        said = "-A ufw-user-input -p tcp --dport 443 -s 9.9.9.9 -j ACCEPT"
        guarded.server.command("iptables", *said.split())

    is_felt_by_nobody(guarded, backend(), SCALE, disturb)
