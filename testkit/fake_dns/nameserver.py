"""A real name server on loopback that answers as it is told, over UDP and TCP, for tests.

    with NameServer({"alice.example.org": ["203.0.113.7", "2001:db8::7"]}) as server:
        ...  # ask 127.0.0.1 at server.port, or configure `nameservers: ["{server}"]`
        server.zones["alice.example.org"] = SERVFAIL

A name's value is a list of addresses, a `CNAME`, or a behaviour (see
`testkit.fake_dns.behaviours`). The value of `"*"` stands for every name that has none of its own.
A name without a value that lies in the zone of one with gets NXDOMAIN and the zone's SOA; a name
that lies in none gets REFUSED. A name that lacks the type asked for gets NODATA and the SOA. The
zone of `alice.example.org` is `example.org`. As everywhere, `ipv4only.arpa` has IPv4 addresses and
no others (RFC 7050).
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import Counter
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dns.exception
import dns.message
import dns.rdatatype

from allowsync.model.nameserver import Nameserver
from testkit.fake_dns.behaviours import REFUSED
from testkit.fake_dns.exchanges import CNAME, DnsReply, DnsRequest, apex
from testkit.fake_dns.sockets import bound

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["CNAME", "AskedQuestion", "NameServer"]

_EVERYWHERE: Final = {"ipv4only.arpa": ["192.0.0.170", "192.0.0.171"]}


class AskedQuestion(NamedTuple):
    """A question that was asked: in lower case, `A` or `AAAA`, `udp` or `tcp`."""

    hostname: str
    rdtype: str
    transport: str


class NameServer:
    """A context manager that serves `zones` from a thread of its own while it is entered.

    Args:
        zones: What names answer. Kept, not copied: change it while the server runs.
        address: An address of this machine.
        port: 0 picks a free one.

    Attributes:
        asked: Every question so far, in order.
        requests: The same in full.
    """

    def __init__(self, zones: dict[str, Any], address: str = "127.0.0.1", port: int = 0) -> None:
        self.zones = zones
        self.address = address
        self.asked: list[AskedQuestion] = []
        self.requests: list[DnsRequest] = []
        self._tcp, self._udp = bound(address, port)
        # Hundreds of questions may arrive at once.
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.port: int = self._udp.getsockname()[1]
        self._stranger = socket.socket(self._udp.family, socket.SOCK_DGRAM)
        self._stranger.bind((address, 0))
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._ties = count()
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._failures: list[Exception] = []
        self._thread = threading.Thread(target=self._serve, name=f"nameserver {self}", daemon=True)

    @property
    def nameserver(self) -> Nameserver:
        """This server as a configuration names it."""
        return Nameserver(self.address, self.port)

    def __str__(self) -> str:
        return str(self.nameserver)

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and raise what a behaviour raised, if any did."""
        self._waker.send(b".")
        self._thread.join()
        if self._failures and error is None:
            raise self._failures[0]

    def _serve(self) -> None:
        with self._selector, self._tcp, self._udp, self._stranger, self._waker, self._woken:
            running = True

            def stop() -> None:
                nonlocal running
                running = False

            self._selector.register(self._woken, selectors.EVENT_READ, stop)
            self._selector.register(self._udp, selectors.EVENT_READ, self._on_datagram)
            self._selector.register(self._tcp, selectors.EVENT_READ, self._on_connection)
            while running:
                for key, _ in self._selector.select(self._until_next()):
                    key.data()
                self._run_due()
            for key in tuple(self._selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]

    def _until_next(self) -> float | None:
        return max(0.0, self._later[0][0] - time.monotonic()) if self._later else None

    def _run_due(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            heappop(self._later)[2]()

    def _on_datagram(self) -> None:
        wire, peer = self._udp.recvfrom(65535)

        def send(reply: DnsReply) -> None:
            if reply.wire:
                (self._stranger if reply.stranger else self._udp).sendto(reply.wire, peer)

        self._respond(wire, "udp", send)

    def _on_connection(self) -> None:
        connection, _ = self._tcp.accept()
        received = bytearray()

        def close() -> None:
            if connection.fileno() >= 0:
                self._selector.unregister(connection)
                connection.close()

        def send(reply: DnsReply) -> None:
            if connection.fileno() < 0:
                return
            length = len(reply.wire).to_bytes(2, "big") if reply.framed else b""
            connection.sendall(length + reply.wire)
            if reply.close:
                close()

        def receive() -> None:
            chunk = _received(connection)
            received.extend(chunk)
            while (wire := _take_message(received)) is not None:
                self._respond(wire, "tcp", send)
            if not chunk:
                close()

        self._selector.register(connection, selectors.EVENT_READ, receive)

    def _respond(self, wire: bytes, transport: str, send: Callable[[DnsReply], None]) -> None:
        """Send what the asked name's value answers, now or later. What is no query is ignored."""
        request = self._request(wire, transport)
        if request is None:
            return
        self.asked.append(AskedQuestion(request.hostname, request.rdtype, transport))
        self.requests.append(request)
        try:
            replies = request.answer(self._value(request.hostname))
        except Exception as error:  # noqa: BLE001 - a test's own behaviour; raised on leaving
            self._failures.append(error)
            return
        for reply in replies:
            self._schedule(reply, send)

    def _request(self, wire: bytes, transport: str) -> DnsRequest | None:
        try:
            message = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if not isinstance(message, dns.message.QueryMessage) or len(message.question) != 1:
            return None
        question = message.question[0]
        hostname = question.name.to_text(omit_final_dot=True).lower()
        rdtype = dns.rdatatype.to_text(question.rdtype)
        number = self._numbers[hostname, rdtype]
        self._numbers[hostname, rdtype] += 1
        return DnsRequest(hostname, rdtype, transport, number, message, wire, self.zones)

    def _value(self, hostname: str) -> object:
        """A name's value; None where it is known not to exist."""
        if hostname in self.zones:
            return self.zones[hostname]
        if "*" in self.zones:
            return self.zones["*"]
        if hostname in _EVERYWHERE:
            return _EVERYWHERE[hostname]
        zones = {apex(name, self.zones) for name in self.zones}
        return None if apex(hostname, self.zones) in zones else REFUSED

    def _schedule(self, reply: DnsReply, send: Callable[[DnsReply], None]) -> None:
        def deliver() -> None:
            try:
                send(reply)
            except OSError:  # the asker has gone
                return

        if reply.delay:
            heappush(self._later, (time.monotonic() + reply.delay, next(self._ties), deliver))
        else:
            deliver()


def _received(connection: socket.socket) -> bytes:
    """What has come over a connection; nothing once it is closed or reset."""
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def _take_message(received: bytearray) -> bytes | None:
    """Take the first whole length-prefixed message off what was received."""
    end = 2 + int.from_bytes(received[:2], "big")
    if len(received) < end or len(received) < 2:
        return None
    wire = bytes(received[2:end])
    del received[:end]
    return wire
