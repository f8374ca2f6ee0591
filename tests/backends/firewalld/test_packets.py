"""Who gets through a real firewalld, by real packets."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.firewalld_bus import RUNTIME
from allowsync_backends.firewalld import TYPE, FirewalldOptions

from allowsync.model.types import Entry
from tests.support.echo import EchoIn
from tests.support.firewalld import PORTS, ZONE, backend, empty_sets
from tests.support.gates import GUARDED, allow
from tests.support.internet import FRIEND, FRIEND6, FRIEND_TOO, FRIEND_TOO6, SERVER, SERVER6
from tests.support.met_packets import seen
from tests.support.probe import IN_VAIN, PATIENCE, tcp_answers, udp_answers
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.firewalld import Firewalld
    from tests.support.internet import Internet
    from tests.support.netns import Namespace

# What firewalld's rejection, "administratively prohibited", is to a client.
REJECTED = (errno.EHOSTUNREACH, errno.EACCES)
FRIENDS, MOVED = {FRIEND, FRIEND6}, {FRIEND_TOO, FRIEND_TOO6}


@pytest.fixture
def served(firewalld: Firewalld) -> Iterator[Firewalld]:
    """firewalld with our sets, in front of a service on the guarded port."""
    firewalld.forget(**empty_sets("x"))
    with EchoIn(firewalld.inside, (GUARDED,)):
        yield firewalld


def is_let_in(client: Namespace, server: str, source: str, wait: float) -> bool:
    try:
        return tcp_answers(client, server, GUARDED, source=source, wait=wait)
    except OSError as error:
        if error.errno in REJECTED:
            return False
        raise


def only(internet: Internet, friends: set[str]) -> bool:
    """Whether the port is reached from these addresses of the friend, and from no others."""
    for server in (SERVER, SERVER6):
        assert not is_let_in(internet.stranger, server, "", IN_VAIN)
    both = ((SERVER, FRIEND), (SERVER, FRIEND_TOO), (SERVER6, FRIEND6), (SERVER6, FRIEND_TOO6))
    reached = {
        source
        for server, source in both
        if is_let_in(internet.friend, server, source, PATIENCE if source in friends else IN_VAIN)
    }
    return reached == friends


def test_a_friend_gets_in_and_a_stranger_does_not_after_whatever_becomes_of_firewalld(
    internet: Internet, served: Firewalld
) -> None:
    assert only(internet, set())
    allow(served.inside, backend(), *FRIENDS)
    assert only(internet, FRIENDS)
    assert udp_answers(internet.friend, SERVER, GUARDED)
    assert not udp_answers(internet.stranger, SERVER, GUARDED, wait=IN_VAIN)
    served.reload()
    assert only(internet, FRIENDS)
    allow(served.inside, backend(), *MOVED)
    assert only(internet, MOVED)
    served.stop()
    served.start()
    assert only(internet, MOVED)
    allow(served.inside, backend())
    assert only(internet, set())
    served.inside.run(backend().clear)
    assert only(internet, set())


def test_a_running_stream_ends_when_access_is_taken_away(
    internet: Internet, served: Firewalld
) -> None:
    target = backend(end_streams=True)
    allow(served.inside, target, *FRIENDS)
    with internet.friend.run(socket.create_connection, (SERVER, GUARDED), PATIENCE) as stream:
        assert goes_on(stream)
        allow(served.inside, target, *MOVED)
        stream.settimeout(IN_VAIN)
        assert not goes_on(stream)


def goes_on(stream: socket.socket) -> bool:
    """Whether a running stream is still answered."""
    try:
        stream.sendall(b"knock")
        return stream.recv(64) == b"knock"
    except (TimeoutError, ConnectionError):
        return False


def test_a_port_that_the_zone_opens_to_everyone_is_told(served: Firewalld) -> None:
    allow(served.inside, backend(), *FRIENDS)
    guard = TYPE.guards(FirewalldOptions(ports=PORTS, zone=ZONE))
    assert guard is not None
    entries = [Entry(net(FRIEND), ("alice",)), Entry(net(FRIEND6), ("alice",))]
    assert seen(served.inside, guard, entries) == []
    served.change(RUNTIME, "zone", "addService", "ssi", ZONE, "https", 0)
    (told,) = seen(served.inside, guard, entries)
    rule = "inet firewalld filter_IN_public_allow: tcp dport 443 accept"
    assert told.what == f"443/tcp is open to everyone over IPv4 and IPv6 by eth0: {rule}"
