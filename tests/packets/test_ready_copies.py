"""A copy is asked when it is ready; what a loss of packets could be as well is no verdict."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import pytest

from allowsync.packetpath import PacketVerdict, Question, ask
from allowsync.packetpath.links import await_carrier
from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

# Asks, in a process whose copy loses some of the frames that are sent into it.
LOSING: Final = """
import json, sys
from ipaddress import ip_address
from allowsync.packetpath import Question
from allowsync.packetpath.document import from_answers
from allowsync.packetpath.inquiry import inquire
from allowsync.packetpath.outside import Outside

send, sent = Outside.send, []

def lose(self, index, frame):
    sent.append(frame)
    if not ({lost}):
        send(self, index, frame)

Outside.send = lose
questions = [Question(ip_address(one), "tcp", 8096) for one in json.load(sys.stdin)]
print(json.dumps(from_answers(inquire(questions))))
"""
SOURCES: Final = ("81.2.69.142", "73.15.20.9", "2a02:8109::1", "2601:100:10::9")


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A machine that lets in all but one stranger."""
    with Namespace() as namespace:
        with_uplink(namespace)
        namespace.nft(
            "table inet f { chain i { type filter hook input priority 0\n"
            "ip saddr 73.15.20.9 drop\n}\n}"
        )
        yield namespace


def told(inside: Namespace, lost: str) -> dict[str, tuple[str, str]]:
    """Verdict and reason for each source, where frames are lost."""
    argv = (sys.executable, "-c", LOSING.format(lost=lost))
    feed = json.dumps(SOURCES)
    done: subprocess.CompletedProcess[str] = inside.run(
        lambda: subprocess.run(argv, input=feed, capture_output=True, text=True, check=True)
    )
    document: Any = json.loads(done.stdout)
    assert document["unknown"] == ""
    return {one[0][0]: (one[1], one[4]) for one in document["answers"]}


def test_an_interface_is_waited_for(as_root: None) -> None:
    with Namespace() as outside, Namespace() as machine:
        outside.batch(
            f"link add name p2 type veth peer name eth0 netns {machine.thread_id}",
            "link set p2 up",
        )
        index = outside.run(socket.if_nametoindex, "p2")
        later = threading.Timer(0.2, machine.batch, ["link set eth0 up"])
        started = time.monotonic()
        later.start()
        outside.run(await_carrier, index)
        assert time.monotonic() - started > 0.2
        later.join()


def test_what_was_lost_once_is_asked_again(inside: Namespace) -> None:
    met = told(inside, "len(sent) <= 4")
    assert [verdict for verdict, _ in met.values()] == ["delivered", "dropped", *["delivered"] * 2]


def test_what_nothing_tells_of_is_unknown(inside: Namespace) -> None:
    met = told(inside, "frame[12:14] == bytes([8, 0])")
    assert [verdict for verdict, _ in met.values()] == [*["unknown"] * 2, *["delivered"] * 2]
    assert "neither a rule nor a kernel counter" in met["73.15.20.9"][1]


# What stops packets to an address behind the machine, and is no rule.
SILENT: Final = {
    "route add blackhole 9.9.9.9": "routing: route blackhole to 9.9.9.9",
    "link set eth0 down": "kernel: eth0 is switched off",
}


@pytest.mark.parametrize("change", SILENT)
def test_what_the_kernel_stops_is_no_loss(inside: Namespace, change: str) -> None:
    inside.sysctl("net/ipv4/ip_forward", "1")
    inside.command("ip", *change.split())
    source, to = map(ip_address, (SOURCES[0], "9.9.9.9"))
    (one,) = inside.run(ask, [Question(source, "tcp", 8096, "eth0", to)]).answers
    assert (one.verdict, one.rules) == (PacketVerdict.DROPPED, (SILENT[change],))
