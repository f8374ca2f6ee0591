"""DNS over HTTPS (RFC 8484): each question is the body of a POST.

Several connections carry one question at a time each, and are reused; each is made on demand.
Proxies and other HTTP settings of the environment are ignored, and redirects are not followed:
only the configured server is asked.
"""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import httpcore

from allowsync.dns.failure import Failure, FailureKind
from allowsync.dns.nameservers import unreachable
from allowsync.dns.transport.bootstrap import Addresses
from allowsync.dns.transport.doh_connection import HTTP1, HTTP2, DohConnection, DohServer
from allowsync.dns.transport.udp import FOREIGN
from allowsync.dns.transport.workers import Workers
from allowsync.dns.wire_query import Likeness, likeness, message

if TYPE_CHECKING:
    from selectors import BaseSelector

    from allowsync.dns.query_state import Ask, Listener
    from allowsync.model.nameserver import Nameserver

CONNECTIONS: Final = 8  # with one server
_UNRESERVED: Final = "/%?&=:@!$'()*+,;~"


class HttpsChannel:
    """Asks one DoH server over HTTPS only. Implements `Channel`."""

    def __init__(
        self,
        nameserver: Nameserver,
        selector: BaseSelector,
        listener: Listener,
        *,
        timeout: float,
        validate: bool,
    ) -> None:
        self._server = _server(nameserver, timeout)
        self._listener = listener
        self._validate = validate
        self._workers = Workers(selector)
        self._idle: list[DohConnection] = []
        self._busy: dict[Ask, DohConnection] = {}
        self._lost: set[Ask] = set()  # sent, and no answer came in time: not sent again
        self._ready = False
        self._hopeless: Failure | None = None

    @property
    def lacks(self) -> str:
        """The missing thing."""
        nameserver = self._server.nameserver
        if not self._server.addresses.known:
            return f"cannot reach {nameserver}: no address for {self._server.host}"
        if not self._ready and not any(one.ready for one in self._busy.values()):
            return f"no TLS connection with {nameserver}"
        return f"no answer over HTTPS from {nameserver}"

    def send(self, ask: Ask) -> None:
        """Send a question, unless it is in flight already."""
        if self._hopeless is not None:
            self._listener.failed(ask, self._hopeless)
            return
        if ask in self._busy or ask in self._lost:
            return
        section = ask.inquiry.question.section
        ask.datagram = message(os.urandom(2), section, validate=self._validate)
        self._make_room()
        connection = self._idle.pop() if self._idle else DohConnection(self._server)
        self._busy[ask] = connection
        try:
            self._workers.run(
                partial(connection.ask, ask.datagram), partial(self._done, ask, connection)
            )
        except OSError as error:
            del self._busy[ask]
            self._listener.failed(ask, unreachable(self._server.nameserver, error))

    def forget(self, ask: Ask) -> None:
        """Give up an ask, and with it its connection, which can carry nothing else."""
        self._lost.discard(ask)
        connection = self._busy.pop(ask, None)
        if connection is not None:
            self._ready |= connection.ready
            connection.abandon()

    def close(self) -> None:
        """Close every connection."""
        for ask in tuple(self._busy):
            self.forget(ask)
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        self._workers.close()

    def _make_room(self) -> None:
        """Give up asks that expect no answer any more, where all connections are busy."""
        if len(self._busy) >= CONNECTIONS:
            for ask in [one for one in self._busy if not one.live]:
                self.forget(ask)
                self._lost.add(ask)

    def _done(self, ask: Ask, connection: DohConnection, came: bytes | Failure | None) -> None:
        """Report the outcome of a question, unless it was given up."""
        if connection.over:
            connection.close()
            return
        del self._busy[ask]
        self._ready |= connection.ready
        self._idle.append(connection)
        match came:
            case None:
                self._lost.add(ask)
            case Failure() as failure:
                if failure.kind is FailureKind.UNTRUSTED:
                    self._hopeless = failure
                if ask.live:
                    self._listener.failed(ask, failure)
            case wire:
                self._answered(ask, wire)

    def _answered(self, ask: Ask, wire: bytes) -> None:
        right = wire[:2] == ask.datagram[:2]
        if right and likeness(wire, ask.inquiry.question.section) is not Likeness.OTHER:
            self._listener.heard_over_stream(ask, wire)
        elif ask.live:
            self._listener.failed(ask, FOREIGN)


def protocols() -> tuple[str, ...]:
    """Return the protocols to offer to a server, the preferred first."""
    return (HTTP2, HTTP1) if find_spec("h2") is not None else (HTTP1,)


def _server(nameserver: Nameserver, timeout: float) -> DohServer:
    """Return the server that a URL names."""
    url = urlsplit(nameserver.url)
    host = url.hostname or ""
    path = quote(url.path + (f"?{url.query}" if url.query else ""), safe=_UNRESERVED)
    return DohServer(
        nameserver,
        httpcore.URL(scheme="https", host=host, port=nameserver.port, target=path),
        url.netloc.encode(),
        protocols(),
        Addresses(),
        timeout,
    )
