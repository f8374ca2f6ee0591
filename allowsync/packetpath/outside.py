"""The other ends of the cables, and a frame of our own that tells how far the kernel is."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.links import switch_on
from allowsync.packetpath.netlink import ROUTE, Netlink
from allowsync.packetpath.question import PacketsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVERY_FRAME: Final = 3  # ETH_P_ALL
_RCVBUF, _RCVBUFFORCE = 8, 33
_FORCED, _ASKED = 32 << 20, 4 << 20
_OUTGOING: Final = 4  # PACKET_OUTGOING
_OWN: Final = bytes(6) + bytes.fromhex("0200000000fd88b5")  # a type for experiments (IEEE 802)
_HEAD: Final = 14
_PROCESSOR: Final = 36  # in /proc/PID/stat, behind the program's name
_PATIENCE, _PAUSE = 10.0, 0.005


class Outside:
    """What is sent into the cables, and what comes out; made in their namespace.

    Attributes:
        network: The file that holds the namespace.
    """

    def __init__(self, network: int) -> None:
        self.network = network
        with closing(Netlink(ROUTE)) as netlink:
            switch_on(netlink, 1)
        # One for both ways: the kernel takes its time to close such a socket.
        self._frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_FRAME))
        try:
            self._frames.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _FORCED)
        except OSError:
            self._frames.setsockopt(socket.SOL_SOCKET, _RCVBUF, _ASKED)
        self._frames.settimeout(0)
        self._marks = self._passed = 0

    def send(self, index: int, frame: bytes) -> None:
        """Let a frame arrive at an interface of the copy."""
        self._frames.sendto(frame, (f"p{index}", 0))

    def came_out(self) -> Iterator[tuple[int, bytes]]:
        """What has come out of the cables since, without the heads of frames."""
        while True:
            try:
                data, (name, _, kind, *_) = self._frames.recvfrom(2048)
            except BlockingIOError:
                return
            if kind == _OUTGOING:
                continue
            if name != "lo":
                yield int(name[1:]), data[_HEAD:]
            elif data.startswith(_OWN):
                (self._passed,) = struct.unpack_from("=I", data, _HEAD)

    def mark(self) -> int:
        """Send a frame that is handled when all that is on its way now has been.

        A processor handles what arrives at any interface in order, and this process stays on one.
        """
        self._marks += 1
        self._frames.sendto(_OWN + struct.pack("=I", self._marks), ("lo", 0))
        return self._marks

    def has_passed(self, mark: int) -> bool:
        """Whether a mark was among what came out."""
        return self._passed >= mark

    def await_mark(self, others: socket.socket, end: float) -> None:
        """Wait for something to come, here or at another socket.

        Raises:
            PacketsUnavailable: The time is over.
        """
        if time.monotonic() > end:
            raise PacketsUnavailable("packets in the copy are not handled in time")
        select.select([self._frames, others], [], [], _PAUSE)


def stay() -> None:
    """Keep this process on the processor that it is on."""
    told = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    os.sched_setaffinity(0, {int(told[_PROCESSOR])})


def patience() -> float:
    """When waiting for a mark is over."""
    return time.monotonic() + _PATIENCE
