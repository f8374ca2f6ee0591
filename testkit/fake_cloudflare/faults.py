"""What can go wrong between a client and Cloudflare, on order.

    fake.faults.add(RateLimited(retry_after="2"), on="items.create")
    fake.faults.add(Cut(applied=True), on="items.*", times=1, skip=1)
    fake.faults.add(Failure(503), times=None)

A fault waits for a request of a route it is meant for (`testkit.fake_cloudflare.routes`;
patterns as of a shell), lets `skip` of them pass, and then befalls `times` of them; `None` is all.
The first that fits befalls a request, and no other.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from testkit.fake_cloudflare.calls import Fate
from testkit.fake_cloudflare.limits import RATE_LIMITED
from testkit.fake_cloudflare.replies import JSON, CallRefused, FakeReply
from testkit.fake_cloudflare.state import NEVER, OperationDelay

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer goes out.

    Attributes:
        reply: The answer.
        cut: The connection ends without it.
        parts: In how many pieces the body is sent.
        pause: Seconds before each piece.
        missing: How many bytes of the body are announced and never sent.
    """

    reply: FakeReply
    cut: bool = False
    parts: int = 1
    pause: float = 0.0
    missing: int = 0


class OrderedFault:
    """Nothing out of the ordinary; the others differ in one or two of these steps."""

    proper = True
    """Whether the answer, if there is one, is still one that the API documents."""

    def before(self) -> FakeReply | None:
        """Something done first. An answer means that the request itself is not looked at."""
        return None

    def cuts_before(self) -> bool:
        """Whether the connection ends before the request is looked at."""
        return False

    def fate(self) -> Fate:
        """What becomes of an operation that the request begins."""
        return Fate()

    def deliver(self, reply: FakeReply) -> Delivery:
        """How the answer goes out."""
        return Delivery(reply)


@dataclass(frozen=True, slots=True)
class RateLimited(OrderedFault):
    """429: too many requests, with or without a word on when to come back."""

    retry_after: str | None = None

    def before(self) -> FakeReply:
        """Refuse it, as if there had been too many requests in five minutes."""
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        text = "Please wait and consider throttling your request speed"
        return CallRefused(429, RATE_LIMITED, text, headers).reply


@dataclass(frozen=True, slots=True)
class FailedCall(OrderedFault):
    """A 5xx, in the envelope or as a page of HTML from the edge. Nothing was applied."""

    status: int = 500
    html: bool = False

    def before(self) -> FakeReply:
        """Fail."""
        if not self.html:
            return CallRefused(self.status, 19500, "internal error").reply
        page = f"<!DOCTYPE html><html><body><h1>Error {self.status}</h1></body></html>"
        return FakeReply(self.status, page.encode(), "text/html; charset=UTF-8")


@dataclass(frozen=True, slots=True)
class Unsuccessful(OrderedFault):
    """200, and `"success": false` inside. Nothing was applied."""

    code: int = 19500
    message: str = "something went wrong"
    status: int = 200
    proper = False

    def before(self) -> FakeReply:
        """Say so."""
        return CallRefused(self.status, self.code, self.message).reply


@dataclass(frozen=True, slots=True)
class CutConnection(OrderedFault):
    """The connection ends without an answer, before or after the request was carried out."""

    applied: bool = False

    def cuts_before(self) -> bool:
        """Unless it is to be applied first."""
        return not self.applied

    def deliver(self, reply: FakeReply) -> Delivery:
        """Not at all."""
        return Delivery(reply, cut=True)


@dataclass(frozen=True, slots=True)
class OperationFails(OrderedFault):
    """The operation is accepted and fails in the end, for a reason it gives."""

    error: str = "internal error"

    def fate(self) -> Fate:
        """It fails."""
        return Fate(error=self.error)


@dataclass(frozen=True, slots=True)
class OperationLate(OrderedFault):
    """The operation takes longer than others do; as it stands, for ever."""

    delay: OperationDelay = NEVER

    def fate(self) -> Fate:
        """It waits."""
        return Fate(delay=self.delay)


@dataclass(frozen=True, slots=True)
class LateQuota(OrderedFault):
    """That the plan has no room for the items is found out by the operation, and fails it."""

    def fate(self) -> Fate:
        """Look later."""
        return Fate(late_quota=True)


@dataclass(frozen=True, slots=True)
class Slow(OrderedFault):
    """The body comes in pieces, with a pause in seconds before each."""

    pause: float = 0.05
    parts: int = 4

    def deliver(self, reply: FakeReply) -> Delivery:
        """Piece by piece."""
        return Delivery(reply, parts=self.parts, pause=self.pause)


@dataclass(frozen=True, slots=True)
class TruncatedReply(OrderedFault):
    """Half of the body: announced as all of it, or (`cut`) ended by the connection."""

    cut: bool = False
    proper = False

    def deliver(self, reply: FakeReply) -> Delivery:
        """The first half."""
        body = reply.body or b""
        half = FakeReply(reply.status, body[: len(body) // 2], reply.content_type, reply.headers)
        return Delivery(half, missing=len(body) - len(body) // 2 if self.cut else 0)


@dataclass(frozen=True, slots=True)
class WrongType(OrderedFault):
    """The request is carried out, but what comes back is called something else."""

    content_type: str = "text/html; charset=UTF-8"
    proper = False

    def deliver(self, reply: FakeReply) -> Delivery:
        """Under another name."""
        return Delivery(FakeReply(reply.status, reply.body, self.content_type, reply.headers))


@dataclass(frozen=True, slots=True)
class Wrong(OrderedFault):
    """The request is carried out, and the answer is JSON that nobody would expect."""

    body: Any = None
    proper = False

    def deliver(self, reply: FakeReply) -> Delivery:
        """Something else."""
        return Delivery(
            FakeReply(reply.status, json.dumps(self.body).encode(), JSON, reply.headers)
        )


@dataclass(frozen=True, slots=True)
class Meanwhile(OrderedFault):
    """Somebody else does something just before the request is looked at, or just after."""

    action: Callable[[], object]
    after: bool = False

    def before(self) -> None:
        """Do it first."""
        if not self.after:
            self.action()

    def deliver(self, reply: FakeReply) -> Delivery:
        """Do it once the request was carried out, before the answer goes out."""
        if self.after:
            self.action()
        return Delivery(reply)


@dataclass(slots=True)
class _Ordered:
    fault: OrderedFault
    on: str
    times: int | None
    skip: int


@dataclass(slots=True)
class FaultQueue:
    """The faults on order, in order. May be used from any thread."""

    _ordered: list[_Ordered] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: OrderedFault, on: str = "*", times: int | None = 1, skip: int = 0) -> None:
        """Order a fault; see the module for what the rest means."""
        with self._lock:
            self._ordered.append(_Ordered(fault, on, times, skip))

    def clear(self) -> None:
        """Take all orders back."""
        with self._lock:
            self._ordered.clear()

    @property
    def waiting(self) -> int:
        """How many orders have not befallen all the requests they are meant for."""
        with self._lock:
            return len(self._ordered)

    def take(self, name: str) -> OrderedFault | None:
        """What befalls a request of that route, if anything does."""
        with self._lock:
            for each in self._ordered:
                if not fnmatchcase(name, each.on):
                    continue
                if each.skip:
                    each.skip -= 1
                    continue
                if each.times is not None:
                    each.times -= 1
                    if not each.times:
                        self._ordered.remove(each)
                return each.fault
        return None
