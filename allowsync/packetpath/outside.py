"""The outer ends of the cables, and a marker frame that shows the kernel's progress."""

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
    """Sends frames into the cables, and reads those that come out; made in their namespace.

    Attributes:
        network: The file that holds the namespace.
    """

    def __init__(self, network: int) -> None:
        self.network = network
        with closing(Netlink(ROUTE)) as netlink:
            switch_on(netlink, 1)
        # One socket for both directions: the kernel takes its time to close such a socket.
        self._frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_FRAME))
        try:
            self._frames.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _FORCED)
        except OSError:
            self._frames.setsockopt(socket.SOL_SOCKET, _RCVBUF, _ASKED)
        self._frames.settimeout(0)
        self._marks = self._passed = 0

    def send(self, index: int, frame: bytes) -> None:
        """Send a frame to an interface of the copy."""
        self._frames.sendto(frame, (f"p{index}", 0))

    def came_out(self) -> Iterator[tuple[int, bytes]]:
        """Yield the packets that came out of the cables since, without frame headers."""
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
        """Send a marker frame, which is handled after all packets in flight now.

        A processor handles packets of all interfaces in order, and this process stays on one.
        """
        self._marks += 1
        self._frames.sendto(_OWN + struct.pack("=I", self._marks), ("lo", 0))
        return self._marks

    def has_passed(self, mark: int) -> bool:
        """Whether a marker frame has come out."""
        return self._passed >= mark

    def await_mark(self, others: socket.socket, end: float) -> None:
        """Wait for packets, here or at another socket.

        Raises:
            PacketsUnavailable: The time is over.
        """
        if time.monotonic() > end:
            raise PacketsUnavailable("packets in the copy are not handled in time")
        select.select([self._frames, others], [], [], _PAUSE)


def stay() -> None:
    """Pin this process to its current processor."""
    told = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    os.sched_setaffinity(0, {int(told[_PROCESSOR])})


def patience() -> float:
    """Return the deadline for a marker frame, by `time.monotonic`."""
    return time.monotonic() + _PATIENCE
