"""Clients over UDP and of containers, as the kernel tracks them."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from ipaddress import ip_address

import pytest

from allowsync.setup.detect import Connection
from allowsync.setup.preview import cut_off
from allowsync.setup.tracked_connections import flows, tracked
from tests.support.netns import Namespace

FRIEND, HERE, CONTAINER = map(ip_address, ("81.2.69.2", "81.2.69.1", "172.17.0.2"))
TABLE = """\
tcp      6 431999 ESTABLISHED src=81.2.69.2 dst=81.2.69.1 sport=50000 dport=8096 src=172.17.0.2 \
dst=81.2.69.2 sport=80 dport=50000 [ASSURED] mark=0 use=1
tcp      6 110 TIME_WAIT src=81.2.69.3 dst=81.2.69.1 sport=50001 dport=8096 src=172.17.0.2 \
dst=81.2.69.3 sport=80 dport=50001 [ASSURED] mark=0 use=1
udp      17 29 src=81.2.69.2 dst=81.2.69.1 sport=50000 dport=51820 src=81.2.69.1 dst=81.2.69.2 \
sport=51820 dport=50000 mark=0 use=1
udp      17 29 src=81.2.69.3 dst=81.2.69.1 sport=50000 dport=51820 [UNREPLIED] src=81.2.69.1 \
dst=81.2.69.3 sport=51820 dport=50000 mark=0 use=1
icmp     1 29 src=81.2.69.3 dst=81.2.69.1 type=8 code=0 id=1 src=81.2.69.1 dst=81.2.69.3 type=0
"""
PUBLISHED = """
table ip nat {
  chain pre {
    type nat hook prerouting priority dstnat
    ip daddr 81.2.69.1 tcp dport 8096 dnat to 172.17.0.2:80
  }
}
"""


def test_flows_that_were_answered_are_read_with_what_the_client_sent_to() -> None:
    assert list(flows(TABLE)) == [
        (Connection(FRIEND, 8096), HERE),
        (Connection(FRIEND, 51820, "udp"), HERE),
    ]


def test_a_port_is_guarded_by_its_protocol() -> None:
    clients = [Connection(FRIEND, 443), Connection(FRIEND, 443, "udp")]
    assert cut_off(clients, ["443/udp"], []) == clients[1:]
    assert [one.service for one in clients] == ["443/tcp", "443/udp"]


@pytest.mark.root
def test_clients_over_udp_and_of_a_container_are_found(as_root: None) -> None:
    with Namespace() as here, Namespace() as friend, Namespace() as container, ExitStack() as open_:
        here.join(friend, "s", "c")
        here.join(container, "b", "d")
        here.batch(f"addr add {HERE}/24 dev s", "addr add 172.17.0.1/24 dev b")
        friend.batch(f"addr add {FRIEND}/24 dev c", f"route add default via {HERE}")
        container.batch(f"addr add {CONTAINER}/24 dev d", "route add default via 172.17.0.1")
        here.command("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        here.command("nft", PUBLISHED)
        open_.enter_context(container.run(socket.create_server, (str(CONTAINER), 80)))
        open_.enter_context(friend.run(socket.create_connection, (str(HERE), 8096), 10))
        # What a container asks of others is no client of this machine.
        open_.enter_context(friend.run(socket.create_server, (str(FRIEND), 443)))
        open_.enter_context(container.run(socket.create_connection, (str(FRIEND), 443), 10))
        tunnel = open_.enter_context(here.run(socket.socket, socket.AF_INET, socket.SOCK_DGRAM))
        tunnel.bind((str(HERE), 51820))
        asking = open_.enter_context(friend.run(socket.socket, socket.AF_INET, socket.SOCK_DGRAM))
        asking.sendto(b"hello", (str(HERE), 51820))
        tunnel.sendto(b"hello", tunnel.recvfrom(10)[1])
        asking.recv(10)
        found = here.run(tracked)
    assert sorted(found, key=lambda one: one.port) == [
        Connection(FRIEND, 8096),
        Connection(FRIEND, 51820, "udp"),
    ]
