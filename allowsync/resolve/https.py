"""DNS over HTTPS (RFC 8484): each question is the body of a POST, over a few connections.

HTTP/1.1 carries one question at a time, so there are several connections, each made when there is
a question for it. Proxies and whatever else the environment says about HTTP are no part of this,
and redirects are not followed: only the server that was configured is asked.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from allowsync.resolve.datagrams import FOREIGN
from allowsync.resolve.exchange import Exchange, Resource
from allowsync.resolve.failures import Failure, Kind
from allowsync.resolve.lookup import Lookup, Places, place_of
from allowsync.resolve.questions import Likeness, likeness, message
from allowsync.resolve.secure import Endpoint

if TYPE_CHECKING:
    from selectors import BaseSelector

    from allowsync.config.settings import Nameserver
    from allowsync.resolve.inquiry import Ask, Listener

CONNECTIONS: Final = 8
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
        place = place_of(self._host, nameserver.port)
        self._places: Places = () if place is None else (place,)
        self._lookup: Lookup | None = None
        self._queue: deque[Ask] = deque()
        self._exchanges: list[Exchange] = []
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
        carrier = next((one for one in self._exchanges if one.ask is ask), None)
        if carrier is not None:
            if carrier.ready or len(self._places) < 2:
                return
            self._turn_from(carrier)
        if ask not in self._queue:
            section = ask.inquiry.question.section
            ask.datagram = message(os.urandom(2), section, validate=self._validate)
            self._queue.append(ask)
        self._serve()

    def forget(self, ask: Ask) -> None:
        """Give an ask up. A connection cannot be asked anything else before it has answered."""
        if ask in self._queue:
            self._queue.remove(ask)
        for one in [one for one in self._exchanges if one.ask is ask]:
            self._drop(one)

    def close(self) -> None:
        """Close every connection."""
        self._queue.clear()
        for one in tuple(self._exchanges):
            self._drop(one)
        if self._lookup is not None:
            self._lookup.close()

    def answered(self, ask: Ask, wire: bytes) -> None:
        """Hand on what answers the question."""
        right = wire[:2] == ask.datagram[:2]
        if right and likeness(wire, ask.inquiry.question.section) is not Likeness.OTHER:
            self._listener.heard_over_stream(ask, wire)
        else:
            self._listener.failed(ask, FOREIGN)

    def lost(self, exchange: Exchange, failure: Failure) -> None:
        """Ask again over another connection where this one was just idle for too long."""
        self._drop(exchange)
        ask = exchange.ask
        if failure.kind is Kind.UNTRUSTED:
            self._hopeless = failure
            self._fail_all([*([] if ask is None else [ask]), *self._queue], failure)
            return
        stale = exchange.answers > 0 and not exchange.stirred and failure.kind is Kind.STREAM
        elsewhere = failure.kind is Kind.UNREACHABLE and self._without(exchange)
        if ask is not None and ask.live and (stale or elsewhere):
            self._queue.appendleft(ask)
        elif ask is not None and ask.live:
            self._listener.failed(ask, failure)
        self._serve()

    def _serve(self) -> None:
        """Put what waits to connections that are free, or to new ones."""
        if self._queue and not self._places:
            self._look_up()
            return
        while self._queue:
            exchange = next((one for one in self._exchanges if one.ask is None), None)
            if exchange is None and len(self._exchanges) >= CONNECTIONS:
                return
            ask = self._queue.popleft()
            if not ask.live:
                continue
            if exchange is not None:
                exchange.put(ask)
            else:
                self._connect(ask)

    def _connect(self, ask: Ask) -> None:
        family, place = self._places[0]
        endpoint = Endpoint(self._nameserver, family, place, self._host)
        exchange = Exchange(endpoint, self._resource, self._selector, self)
        self._exchanges.append(exchange)
        exchange.put(ask)
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

    def _turn_from(self, exchange: Exchange) -> None:
        """Try the next address: nobody completed a handshake at this one yet."""
        self._drop(exchange)
        if self._places[0][1] == exchange.endpoint.place:
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
