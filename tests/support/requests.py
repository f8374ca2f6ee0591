"""Asking a web server without a pause, as a friend and as a stranger, while its allowlist changes.

One network namespace is enough: all addresses are on its loopback interface, and who asks is told
by the address that is asked from. A test of a server reads like this:

    with neighbourhood() as inside, my_server(inside, PORT):
        backend = ...
        is_felt_by_nobody("nginx", inside, backend, PORT, applies=40)
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.support.internet import FRIEND, FRIEND6, SERVER, SERVER6, STRANGER, STRANGER6
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from allowsync.backend.protocols import Backend

OK: Final = 200
NONE: Final = 0  # the status where no answer came

# An answer takes a millisecond or two, but may take long on a busy machine. A stranger who is
# answered by nothing at all is waited for in vain; one who is refused must not be taken for one.
PATIENCE: Final = 30.0
IN_VAIN: Final = 1.0
PAUSE: Final = 0.01  # between two requests of a flow, so that the server has time for others

ENDS: Final = (
    ("friend", SERVER, FRIEND),
    ("friend", SERVER6, FRIEND6),
    ("stranger", SERVER, STRANGER),
    ("stranger", SERVER6, STRANGER6),
)


@contextmanager
def neighbourhood() -> Iterator[Namespace]:
    """A namespace with the addresses of a server, a friend and a stranger, of both families."""
    with Namespace() as inside:
        inside.batch(
            *(f"address add {ip}/32 dev lo" for ip in (SERVER, FRIEND, STRANGER)),
            *(f"address add {ip}/128 dev lo nodad" for ip in (SERVER6, FRIEND6, STRANGER6)),
        )
        yield inside


@dataclass(frozen=True, slots=True)
class ServedFlow:
    """Requests one after the other, from one address to another.

    Attributes:
        role: `friend` or `stranger`.
        server: The address asked.
        source: The address asked from.
        port: The port asked.
        keeps: Whether one connection serves many requests; else each has its own.
        path: What is asked for.
        headers: What is sent besides.
    """

    role: str
    server: str
    source: str
    port: int
    keeps: bool = False
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def patience(self) -> float:
        """How long an answer is waited for, in seconds."""
        return PATIENCE if self.role == "friend" else IN_VAIN


@dataclass(slots=True)
class RequestSender:
    """Asks one flow's question, and counts the answers by their status.

    A connection may be closed by the server between two requests. Who finds it so before a byte of
    an answer came asks once more, on a new one, as every browser does (RFC 9112, 9.3.1).
    """

    flow: ServedFlow
    answers: Counter[int] = field(default_factory=Counter)
    renewed: int = 0
    why: str = ""
    _kept: http.client.HTTPConnection | None = None

    def ask(self) -> int:
        """One request; the status of its answer, or `NONE`."""
        try:
            status = self._on_kept() or self._on_new()
        except (OSError, http.client.HTTPException) as error:
            self.why = f"{type(error).__name__}: {error}"
            self.close()
            status = NONE
        self.answers[status] += 1
        return status

    def close(self) -> None:
        """Close the connection that is kept, if there is one."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _on_kept(self) -> int:
        # One without a socket was closed as its last answer announced; asking would open another.
        if self._kept is None or self._kept.sock is None:
            return NONE
        try:
            answer = self._answer(self._kept)
        except ConnectionError:
            self.renewed += 1
            self.close()
            return NONE
        return _whole(answer)

    def _on_new(self) -> int:
        flow = self.flow
        self._kept = http.client.HTTPConnection(
            flow.server, flow.port, timeout=flow.patience, source_address=(flow.source, 0)
        )
        status = _whole(self._answer(self._kept))
        if not flow.keeps:
            self.close()
        return status

    def _answer(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        flow = self.flow
        closing = {} if flow.keeps else {"Connection": "close"}
        connection.request("GET", flow.path, headers={**flow.headers, **closing})
        return connection.getresponse()


def _whole(answer: http.client.HTTPResponse) -> int:
    """The status of an answer that arrives to its end."""
    answer.read()
    return answer.status


def status(
    inside: Namespace,
    source: str,
    port: int,
    *,
    server: str = "",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
) -> int:
    """The status of the answer to one request from an address of the namespace, or `NONE`."""
    server = server or (SERVER6 if ":" in source else SERVER)
    flow = ServedFlow("friend", server, source, port, path=path, headers=headers or {})
    return inside.run(RequestSender(flow).ask)


def claimed_status(inside: Namespace, source: str, port: int, claimed: str) -> int:
    """The status of the answer to a request that begins with a PROXY header, or `NONE`.

    Args:
        inside: Where the server is.
        source: The address that it is sent from, of IPv4.
        port: The port that is asked.
        claimed: The address that the header says it is sent from.
    """
    head = f"PROXY TCP4 {claimed} {SERVER} 40000 {port}\r\nGET / HTTP/1.0\r\nHost: x\r\n\r\n"

    def ask() -> int:
        with (
            suppress(OSError),
            socket.create_connection((SERVER, port), PATIENCE, (source, 0)) as to,
        ):
            to.sendall(head.encode())
            words = to.recv(4096).split()
            return int(words[1]) if len(words) > 1 else NONE
        return NONE

    return inside.run(ask)


def wait_for(inside: Namespace, source: str, port: int, code: int = OK) -> None:
    """Wait until an address is answered like that, but not for ever."""
    deadline = time.monotonic() + 60
    while (seen := status(inside, source, port)) != code:
        assert time.monotonic() < deadline, f"{source} still gets {seen}"
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Score:
    """What flows asked, and what came of it.

    Attributes:
        friend: Requests of the friend.
        failed: Those of them that were not answered with 200.
        stranger: Requests of the stranger.
        let_in: Those of them that were answered with 200.
        renewed: Connections found closed between two requests (see `RequestSender`).
        least: The requests of the flow that made the fewest.
        refusals: How often a stranger got each status.
        why: What went wrong with a request of the friend, if anything did.
    """

    friend: int = 0
    failed: int = 0
    stranger: int = 0
    let_in: int = 0
    renewed: int = 0
    least: int = 0
    refusals: Counter[int] = field(default_factory=Counter)
    why: str = ""

    def since(self, before: Score) -> Score:
        """What came to it since an earlier one."""
        return Score(
            self.friend - before.friend,
            self.failed - before.failed,
            self.stranger - before.stranger,
            self.let_in - before.let_in,
            self.renewed - before.renewed,
            self.least - before.least,
            self.refusals - before.refusals,
            self.why,
        )


def score(told: list[dict[str, Any]]) -> Score:
    """What the process of all flows told."""
    friends = [one for one in told if one["role"] == "friend"]
    strangers = [one for one in told if one["role"] == "stranger"]
    refusals: Counter[int] = Counter()
    for one in strangers:
        refusals.update({int(code): number for code, number in one["answers"].items()})
    let_in = refusals.pop(OK, 0)
    asked = sum(sum(one["answers"].values()) for one in friends)
    return Score(
        friend=asked,
        failed=asked - sum(one["answers"].get(str(OK), 0) for one in friends),
        stranger=sum(refusals.values()) + let_in,
        let_in=let_in,
        renewed=sum(one["renewed"] for one in told),
        least=min(sum(one["answers"].values()) for one in told),
        refusals=refusals,
        why="; ".join(dict.fromkeys(f"{one['answers']} {one['why']}" for one in friends)),
    )


class Knocking:
    """A process that asks as all of them at once: both roles and families, kept and new."""

    def __init__(
        self,
        inside: Namespace,
        port: int,
        path: str = "/",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        flows = [
            ServedFlow(role, server, source, port, keeps, path, headers or {})
            for role, server, source in ENDS
            for keeps in (False, True)
        ]
        argv = (sys.executable, "-m", "tests.support.requests")
        self._process = inside.start(*argv, json.dumps([asdict(one) for one in flows]))

    def __enter__(self) -> Knocking:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def so_far(self) -> Score:
        """What was asked up to now."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return score(json.loads(self._process.stdout.readline()))

    def more(self, number: int) -> Score:
        """Wait until every flow has asked that often from now on; what was asked up to then."""
        goal = self.so_far().least + number
        deadline = time.monotonic() + 60
        while (now := self.so_far()).least < goal:
            assert time.monotonic() < deadline, f"one of them asks no more: {now}"
            time.sleep(0.02)
        return now


def is_felt_by_nobody(
    name: str,
    inside: Namespace,
    backend: Backend,
    port: int,
    *,
    applies: int,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    disturb: Callable[[int], object] = lambda _: None,
) -> Score:
    """Apply many times while friend and stranger ask; no request may be answered wrongly.

    Args:
        name: What the scoreboard calls it: `nginx`.
        inside: The namespace of the server, see `neighbourhood`. It must be up.
        backend: The target. Each apply is confirmed by reading back.
        port: Where the server listens, at `SERVER` and `SERVER6`.
        applies: How many; each changes which network the friend is in, and who else is let in.
        path: What is asked for.
        headers: What is sent besides.
        disturb: Called with the number of each apply, before it.

    Returns:
        What was asked during the applies.
    """
    from tests.support.covers import wanted
    from tests.support.scoreboard import record

    dice = random.Random(20261120)
    inside.run(apply_one, backend, wanted(dice))
    with Knocking(inside, port, path, headers) as knocking:
        before = knocking.more(20)
        for number in range(applies):
            disturb(number)
            inside.run(apply_one, backend, wanted(dice, number + 1))
        during = knocking.more(1)
        after = knocking.more(20)
    record(
        f"proxies: {name}",
        applies=applies,
        friend_before=before.friend,
        friend_during=during.since(before).friend,
        friend_after=after.since(during).friend,
        friend_failed=after.failed,
        stranger_before=before.stranger,
        stranger_during=during.since(before).stranger,
        stranger_after=after.since(during).stranger,
        stranger_in=after.let_in,
    )
    assert (after.failed, after.let_in) == (0, 0), after
    return during.since(before)


def apply_one(backend: Backend, networks: list[Any]) -> None:
    """One change, confirmed by reading it back."""
    from tests.support.gates import planned

    backend.apply(planned(backend.read(), networks))
    current = backend.read()
    assert {entry.network for entry in current.entries} == set(networks)
    assert current.flaws == ()


def _go_on(asker: RequestSender, over: threading.Event) -> None:
    while not over.wait(PAUSE):
        asker.ask()
    asker.close()


def main() -> None:
    """Ask until standard input ends; for each line of it, print what was answered up to then."""
    askers = [RequestSender(ServedFlow(**one)) for one in json.loads(sys.argv[1])]
    over = threading.Event()
    threads = [threading.Thread(target=_go_on, args=(one, over), daemon=True) for one in askers]
    for one in threads:
        one.start()
    with suppress(BrokenPipeError):
        for _ in sys.stdin:
            told = [
                {
                    "role": one.flow.role,
                    "answers": dict(one.answers),
                    "renewed": one.renewed,
                    "why": one.why,
                }
                for one in askers
            ]
            print(json.dumps(told), flush=True)
    over.set()


if __name__ == "__main__":
    main()
