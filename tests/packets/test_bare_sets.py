"""Who gets through rules of the user's own that look into our sets, by real packets."""

from __future__ import annotations

import socket
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.echo import EchoIn
from tests.support.gates import allow
from tests.support.internet import (
    CONTAINER,
    CONTAINER6,
    FRIEND,
    FRIEND6,
    FRIEND_TOO,
    SERVER,
    SERVER6,
)
from tests.support.ipsets import bare_sets
from tests.support.probe import IN_VAIN, PATIENCE, tcp_answers

if TYPE_CHECKING:
    from tests.support.internet import Internet
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

EXAMPLES = Path(__file__).parents[2] / "examples"
PORT = 8096

# What many servers have: established connections come in before anything else is looked at.
ESTABLISHED_FIRST = f"""\
*filter
:INPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport {PORT} -m set ! --match-set allowsync-jellyfin-%s src -j DROP
COMMIT
"""
PUBLISHED = f"""\
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER -p tcp --dport {PORT} -j DNAT --to-destination %s:80
COMMIT
*filter
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
"""


def load(inside: Namespace, script: str, ipv4: str, ipv6: str) -> None:
    inside.command("iptables-restore", "-n", stdin=script % ipv4)
    inside.command("ip6tables-restore", "-n", stdin=script % ipv6)


def connected(internet: Internet, server: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    stream = internet.friend.run(socket.socket, family, socket.SOCK_STREAM)
    stream.settimeout(PATIENCE)
    stream.connect((server, PORT))
    assert goes_on(stream)
    return stream


def goes_on(stream: socket.socket, wait: float = PATIENCE) -> bool:
    """Whether a running stream is still answered."""
    stream.settimeout(wait)
    try:
        stream.sendall(b"knock")
        return stream.recv(64) == b"knock"
    except (TimeoutError, ConnectionError):
        return False


@pytest.mark.parametrize("server", [SERVER, SERVER6])
@pytest.mark.parametrize("ending", [True, False])
def test_a_running_stream_ends_when_access_is_taken_away_if_that_is_wanted(
    internet: Internet, server: str, ending: bool
) -> None:
    sets = bare_sets(allowlist="jellyfin", end_streams=ending)
    allow(internet.server, sets, FRIEND, FRIEND6)
    load(internet.server, ESTABLISHED_FIRST, "4", "6")
    with EchoIn(internet.server, (PORT,)), connected(internet, server) as stream:
        allow(internet.server, sets, FRIEND, FRIEND6, "192.0.2.0/24")
        assert goes_on(stream)
        allow(internet.server, sets, FRIEND_TOO)
        assert goes_on(stream, IN_VAIN if ending else PATIENCE) is not ending
        assert not tcp_answers(internet.friend, server, PORT, wait=IN_VAIN)


@pytest.mark.parametrize(("server", "own"), [(SERVER, FRIEND), (SERVER6, FRIEND6)])
def test_a_stream_goes_on_whose_network_another_one_covers(
    internet: Internet, server: str, own: str
) -> None:
    sets = bare_sets(allowlist="jellyfin")
    allow(internet.server, sets, FRIEND, FRIEND6)
    load(internet.server, ESTABLISHED_FIRST, "4", "6")
    wider = ip_network(own).supernet(prefixlen_diff=8)
    with EchoIn(internet.server, (PORT,)), connected(internet, server) as stream:
        allow(internet.server, sets, wider)
        assert goes_on(stream)


@pytest.mark.parametrize("server", [SERVER, SERVER6])
def test_the_example_for_docker_lets_friends_in_and_nobody_else(
    internet: Internet, server: str
) -> None:
    load(internet.server, PUBLISHED, CONTAINER, f"[{CONTAINER6}]")
    for _ in range(2):
        internet.server.command("sh", str(EXAMPLES / "ipset-docker.sh"))
    sets = bare_sets(allowlist="jellyfin")
    with EchoIn(internet.container, (80,)):
        assert not tcp_answers(internet.friend, server, PORT, wait=IN_VAIN)
        allow(internet.server, sets, FRIEND, FRIEND6)
        assert tcp_answers(internet.friend, server, PORT)
        assert not tcp_answers(internet.stranger, server, PORT, wait=IN_VAIN)
        with connected(internet, server) as stream:
            allow(internet.server, sets, FRIEND_TOO)
            assert not goes_on(stream, IN_VAIN)
    assert internet.server.command("iptables", "-S", "DOCKER-USER").count("match-set") == 1
    assert internet.server.run(sets.check) == ()


UFW = """\
set -e
mount -t tmpfs tmpfs /mnt && cp -a /etc/ufw/. /mnt && mount --bind /mnt /etc/ufw
sed -i s/ENABLED=no/ENABLED=yes/ /etc/ufw/ufw.conf
cp {example} /etc/ufw/before.init && chmod 755 /etc/ufw/before.init
/lib/ufw/ufw-init {action}
"""


def ufw(inside: Namespace, action: str) -> None:
    """What ufw.service does, with UFW's own files in a mount namespace of their own."""
    script = UFW.format(example=EXAMPLES / "ipset-ufw.before.init", action=action)
    done = inside.run(
        lambda: subprocess.run(
            ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
        )
    )
    assert done.returncode == 0, done


@pytest.mark.parametrize("server", [SERVER, SERVER6])
def test_the_example_for_ufw_lets_friends_in_and_nobody_else(
    internet: Internet, server: str
) -> None:
    ufw(internet.server, "start")
    ufw(internet.server, "restart")
    for program, chain in (("iptables", "ufw-user-input"), ("ip6tables", "ufw6-user-input")):
        internet.server.command(program, *f"-A {chain} -p tcp --dport {PORT} -j ACCEPT".split())
    sets = bare_sets(allowlist="jellyfin")
    with EchoIn(internet.server, (PORT,)):
        assert not tcp_answers(internet.friend, server, PORT, wait=IN_VAIN)
        allow(internet.server, sets, FRIEND, FRIEND6)
        assert tcp_answers(internet.friend, server, PORT)
        assert not tcp_answers(internet.stranger, server, PORT, wait=IN_VAIN)
    listed = internet.server.command("iptables", "-S", "INPUT").splitlines()
    assert ["match-set" in line for line in listed[1:4]] == [True, True, False]
    ufw(internet.server, "stop")
    assert "match-set" not in internet.server.command("iptables", "-S")
