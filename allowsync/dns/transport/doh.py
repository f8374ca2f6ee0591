"""DNS over HTTPS (RFC 8484): each question is the body of a POST.

Over HTTP/2 all of them share one connection. HTTP/1.1 carries one question at a time, so there are
several connections, each made when there is a question for it. Proxies and whatever else the
environment says about HTTP are no part of this, and redirects are not followed: only the server
that was configured is asked.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from allowsync.dns.failure import Failure, Kind
from allowsync.dns.transport.bootstrap import Lookup, Places, place_of
from allowsync.dns.transport.doh_codec import CONNECTIONS, Resource
from allowsync.dns.transport.doh_connection import HTTP2, Exchange, spoken
from allowsync.dns.transport.tls_stream import Endpoint
from allowsync.dns.transport.udp import FOREIGN
from allowsync.dns.wire_query import Likeness, likeness, message

if TYPE_CHECKING:
    from selectors import BaseSelector

    from allowsync.dns.query_state import Ask, Listener
    from allowsync.model.nameserver import Nameserver

_UNRESERVED: Final = "/%?&=:@!$'()*+,;~"


class HttpsChannel:
    """Asks one DoH server, and never in another way. Implements `Channel`."""

    def __init__(
        self, nameserver: Nameserver, selector: BaseSelector, listener: Listener, *, validate: bool
    ) -> None:
        url = urlsplit(nameserver.url)
        self._nameserver = nameserver
        self._selector = selector
        self._listener = listener
        self._validate = validate
        self._host = url.hostname or ""
        path = quote(url.path + (f"?{url.query}" if url.query else ""), safe=_UNRESERVED)
        self._resource = Resource(url.netloc.encode(), path.encode())
        self._protocols = spoken()
        self._multiplexes = HTTP2 in self._protocols  # until the server says otherwise
        place = place_of(self._host, nameserver.port)
        self._places: Places = () if place is None else (place,)
        self._turns = 1  # how often a question must have been sent to try another address
        self._lookup: Lookup | None = None
        self._queue: deque[Ask] = deque()
        self._again: set[Ask] = set()  # what was cut off once, by a connection of no use
        self._exchanges: list[Exchange] = []
        self._most = CONNECTIONS
        self._hopeless: Failure | None = None

    @property
    def lacks(self) -> str:
        """What has not come yet."""
        if not self._places:
            return f"cannot reach {self._nameserver}: no address for {self._host}"
        if not any(one.ready for one in self._exchanges):
            return f"no TLS connection with {self._nameserver}"
        return f"no answer over HTTPS from {self._nameserver}"

    def send(self, ask: Ask) -> None:
        """Send a question. One that is under way already is left to it, unless nobody is there."""
        if self._hopeless is not None:
            self._listener.failed(ask, self._hopeless)
            return
        if any(ask in one.asks for one in self._exchanges):
            return
        if ask in self._queue:
            self._turn(ask.times)
        else:
            section = ask.inquiry.question.section
            ask.datagram = message(os.urandom(2), section, validate=self._validate)
            self._again.discard(ask)
            self._queue.append(ask)
        self._serve()

    def forget(self, ask: Ask) -> None:
        """Give an ask up, and with it what connection is of no use before it has answered."""
        self._again.discard(ask)
        if ask in self._queue:
            self._queue.remove(ask)
        for one in [one for one in self._exchanges if ask in one.asks]:
            if not one.forget(ask):
                self._drop(one)
                self._serve()

    def close(self) -> None:
        """Close every connection."""
        self._queue.clear()
        for one in tuple(self._exchanges):
            self._drop(one)
        if self._lookup is not None:
            self._lookup.close()

    def free(self, exchange: Exchange) -> None:
        """Put what waits."""
        self._multiplexes = exchange.multiplexes
        self._serve()

    def answered(self, ask: Ask, wire: bytes) -> None:
        """Hand on what answers the question."""
        right = wire[:2] == ask.datagram[:2]
        if right and likeness(wire, ask.inquiry.question.section) is not Likeness.OTHER:
            self._listener.heard_over_stream(ask, wire)
        else:
            self._listener.failed(ask, FOREIGN)

    def failed(self, ask: Ask, failure: Failure) -> None:
        """Hand on why there is no answer. What asks to go elsewhere is not asked again."""
        if failure.kind is Kind.UNTRUSTED:
            self._hopeless = failure
            self._fail_all([ask, *self._queue], failure)
        elif ask.live:
            self._listener.failed(ask, failure)

    def cut(self, exchange: Exchange, ask: Ask, failure: Failure) -> None:
        """Ask again: once, or as often as it takes while each connection answers something."""
        if ask.live and (exchange.useful or ask not in self._again):
            if not exchange.useful:
                self._again.add(ask)
            self._queue.append(ask)
        elif ask.live:
            self._listener.failed(ask, failure)

    def lost(self, exchange: Exchange, failure: Failure) -> None:
        """Go on over the other connections, or over a new one where that leads anywhere."""
        self._drop(exchange)
        if failure.kind is Kind.UNTRUSTED:
            self._hopeless = failure
            self._fail_all(list(self._queue), failure)
        elif not exchange.ready:
            self._missed(exchange, failure)
        self._serve()

    def _missed(self, exchange: Exchange, failure: Failure) -> None:
        """Try another address; do with what there is; or give up."""
        if failure.kind is Kind.UNREACHABLE and self._without(exchange):
            return
        if any(one.ready for one in self._exchanges):
            self._most = len(self._exchanges)
        else:
            self._fail_all(list(self._queue), failure)

    def _serve(self) -> None:
        """Put what waits to connections that have room, and make those that are missing."""
        if self._queue and not self._places:
            self._look_up()
            return
        while self._queue:
            exchange = next((one for one in self._exchanges if one.has_room), None)
            if exchange is None:
                break
            ask = self._queue.popleft()
            ask.server.window = exchange.window
            if ask.live:
                exchange.put(ask)
        while self._lacks_connections:
            self._connect()

    @property
    def _lacks_connections(self) -> bool:
        """Whether one more connection is worth making for what waits."""
        if not self._queue or len(self._exchanges) >= self._most:
            return False
        if self._multiplexes:
            return all(one.closing for one in self._exchanges)
        return sum(not one.ready for one in self._exchanges) < len(self._queue)

    def _connect(self) -> None:
        family, place = self._places[0]
        endpoint = Endpoint(self._nameserver, family, place, self._host, self._protocols)
        exchange = Exchange(endpoint, self._resource, self._selector, self)
        self._exchanges.append(exchange)
        exchange.start()

    def _look_up(self) -> None:
        if self._lookup is None:
            self._lookup = Lookup(self._host, self._nameserver.port, self._selector, self._found)
            self._lookup.start()

    def _found(self, places: Places | str) -> None:
        """Go on with the server's addresses, or fail what waits for them."""
        self._lookup = None
        if isinstance(places, str):
            what = f"cannot reach {self._nameserver}: no address for {self._host}: {places}"
            self._fail_all(list(self._queue), Failure(Kind.UNREACHABLE, what))
            return
        self._places = places
        self._serve()

    def _turn(self, times: int) -> None:
        """Try the next address where nobody completed a handshake, once for all that wait."""
        if times <= self._turns or len(self._places) < 2:
            return
        if any(one.ready for one in self._exchanges):
            return
        self._turns = times
        for one in tuple(self._exchanges):
            self._drop(one)
        self._places = (*self._places[1:], self._places[0])

    def _without(self, exchange: Exchange) -> bool:
        """Whether there are other addresses, once the one that cannot be reached is left out."""
        others = tuple(one for one in self._places if one[1] != exchange.endpoint.place)
        if others:
            self._places = others
        return bool(others)

    def _fail_all(self, asks: list[Ask], failure: Failure) -> None:
        self._queue.clear()
        for ask in asks:
            if ask.live:
                self._listener.failed(ask, failure)

    def _drop(self, exchange: Exchange) -> None:
        exchange.close()
        if exchange in self._exchanges:
            self._exchanges.remove(exchange)
