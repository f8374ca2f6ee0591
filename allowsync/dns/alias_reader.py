"""Reads chains of aliases in a process of its own, which loads dnspython with the first of them.

dnspython takes as long to load as a whole idle run, and the asking process has given up its rights
before it reads anything: then an installation below `/root` cannot be read any more. So this
process waits with its rights, loads dnspython once the length of the first message has arrived,
gives up its rights as well, and only then reads the message.
"""

from __future__ import annotations

import marshal
import os

from allowsync.dns.failure import Failure, FailureKind
from allowsync.system.fork import Bounds, held, write_all
from allowsync.typed import Any, Final

HEAD: Final = 4  # octets that hold the length of the message that follows
MEMORY: Final = 64 * 2**20  # octets, beside its memory with dnspython loaded
PROCESSOR: Final = 60  # seconds; the run ends it at its deadline, or once it has all answers

_GONE: Final = Failure(
    FailureKind.ODD, "its aliases cannot be read: the process for them has ended"
)


def serve(requests: int, replies: int) -> None:
    """Read messages, from a sender that may be compromised, until the run ends.

    Args:
        requests: The source of messages, each preceded by its length.
        replies: The sink for results.
    """
    head = _exactly(requests, HEAD)
    if not head:
        return
    from allowsync.dns.aliases import chain_end
    from allowsync.system.sandbox import confine

    if not confine(Bounds(held() + MEMORY, PROCESSOR)).is_sound:
        return
    while head:
        end = chain_end(_exactly(requests, int.from_bytes(head, "big")))
        reply: tuple[int, Any] = (
            (end.kind.value, end.reason) if isinstance(end, Failure) else (0, end)
        )
        _send(replies, marshal.dumps(reply))
        head = _exactly(requests, HEAD)


class AliasReader:
    """The client of `serve`.

    Args:
        source: The pipe of replies.
        sink: The pipe of requests.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        for end in (source, sink):
            os.set_blocking(end, True)

    def chain_end(self, wire: bytes) -> bytes | Failure:
        """Return `allowsync.dns.aliases.chain_end` of a response."""
        try:
            _send(self._sink, wire)
            text = _exactly(self._source, HEAD)
            text = _exactly(self._source, int.from_bytes(text, "big"))
        except OSError:  # the process was ended, or could not give up its rights
            return _GONE
        if not text:
            return _GONE
        kind, said = marshal.loads(text)  # noqa: S302 - this process knows and may do no more
        return Failure(FailureKind(kind), said) if kind else bytes(said)


def _send(sink: int, text: bytes) -> None:
    write_all(sink, len(text).to_bytes(HEAD, "big") + text)


def _exactly(source: int, size: int) -> bytes:
    """Read that many octets; none where the other end has closed."""
    text = b""
    while len(text) < size:
        more = os.read(source, size - len(text))
        if not more:
            return b""
        text += more
    return text
