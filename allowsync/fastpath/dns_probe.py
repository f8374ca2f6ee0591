"""Asking the questions of the last run once more, all at once, each on a port of its own.

The rules for taking an answer are those of every run (RFC 5452): a random id, the letters' case
mixed, a connected socket so that the kernel lets only the nameserver's packets in, and the question
compared exactly.
"""

import os
import select
import socket
import time

from allowsync.model.reply_mask import HEADER, masked

# Recursion desired, one question, nothing else (RFC 1035 section 4.1.1).
FLAGS = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
PATIENCE = 0.3  # seconds; who answers later is asked again by a whole run


class Asking:
    """Questions under way.

    Args:
        known: For each question: the nameserver's address and port, the question section in lower
            case, whether the server repeats its spelling, the masked answer, where its TTLs stand.

    Raises:
        OSError: A nameserver cannot be reached. So may `all_the_same`.
    """

    def __init__(self, known: "list[tuple[str, int, bytes, bool, bytes, tuple[int, ...]]]") -> None:
        self._waiting: dict[int, tuple[socket.socket, bytes, bytes, bytes, tuple[int, ...]]] = {}
        self._began = time.monotonic()
        try:
            for address, port, section, mixes, reply, offsets in known:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                channel = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                spelled = _mixed(section) if mixes else section
                ident = os.urandom(2)
                self._waiting[channel.fileno()] = (channel, ident, spelled, reply, offsets)
                channel.connect((address, port))
                channel.send(ident + FLAGS + spelled)
        except OSError:
            self.close()
            raise

    def all_the_same(self) -> bool:
        """Wait for every answer; whether each says just what it said last time."""
        poll = select.poll()
        for descriptor in self._waiting:
            poll.register(descriptor, select.POLLIN)
        while self._waiting:
            left = self._began + PATIENCE - time.monotonic()
            ready = poll.poll(max(0.0, left) * 1000)
            if not ready:
                return False
            for descriptor, _ in ready:
                channel, ident, spelled, reply, offsets = self._waiting[descriptor]
                wire = channel.recv(65535)
                if wire[:2] != ident or wire[HEADER : HEADER + len(spelled)] != spelled:
                    continue
                if masked(wire, len(spelled), offsets) != reply:
                    return False
                poll.unregister(descriptor)
                channel.close()
                del self._waiting[descriptor]
        return True

    def close(self) -> None:
        """Close what is still open."""
        for channel, *_ in self._waiting.values():
            channel.close()


def _mixed(section: bytes) -> bytes:
    """The question with the case of each letter drawn at random."""
    noise = os.urandom(len(section))
    return bytes(
        octet ^ 0x20 if 0x61 <= octet <= 0x7A and chance & 1 else octet
        for octet, chance in zip(section, noise, strict=True)
    )
