"""The run's side of the resolver process: started early, validated, and ended in time.

It is a fork of the run, made before the configuration is read: it holds no secret, inherits only
pipes, and loads its modules while the run reads the configuration. Its code is
`allowsync.dns.child`. A second one reads aliases for it (`allowsync.dns.alias_reader`).
"""

from __future__ import annotations

import marshal
import os
import select
import time

from allowsync.dns.answer_lines import AnswerReader, Unbelievable
from allowsync.dns.resolv_conf import nameservers_of
from allowsync.model.answer import Unavailable
from allowsync.model.nameserver import ResolverSettings
from allowsync.model.value import replace
from allowsync.system.fork import Fork
from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from allowsync.model.answer import Answer
    from allowsync.model.nameserver import Nameserver
    from allowsync.model.types import Query

    Progress = Callable[[int, int], None]

GRACE: Final = 1.0  # seconds after the deadline, for data in transit between the processes
_ENDING: Final = 0.25  # seconds from end of output to exit
_CHUNK: Final = 65536
PIPE: Final = 65536  # bytes that a pipe holds, by default
LARGEST: Final = 2**20  # bytes that an unprivileged user may set (pipe(7))


class ResolverProcess:
    """Asks nameservers for the addresses of names, by a process without rights.

    Every query gets an answer and nothing is raised, even if the process dies. All waiting of a
    round shares one deadline.

    Args:
        progress: Called now and then, and at the end of each round, with (settled, total).

    Attributes:
        lacking: The rights that it could not drop, and the reason; empty where there are none.
    """

    def __init__(self, progress: Progress = lambda _done, _total: None) -> None:
        self.lacking = ""
        self._settings = ResolverSettings()
        self._progress = progress
        self._process: Fork | None = None
        self._aliases: Fork | None = None
        self._unsent = b""
        self._heard = False
        self._ends = 0.0
        self._ahead: list[Query] = []
        self._early: dict[Query, Answer] = {}
        self._trouble = ""

    def __enter__(self) -> ResolverProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def nameservers(self) -> tuple[Nameserver, ...]:
        """The nameservers asked."""
        return self._settings.nameservers

    def start(self) -> None:
        """Start the process, unless it runs. Before other threads, and before secrets are read."""
        if self._process is None and not self._trouble:
            try:
                self._aliases = Fork(_serve_aliases)
                ends = (self._aliases.source, self._aliases.sink)
                self._process = Fork(_serve, keeps=ends)
            except OSError as error:
                self._trouble = f"cannot start the resolver's process: {error.strerror}"

    def use(self, settings: ResolverSettings, hosts: int = 0) -> ResolverProcess:
        """Set the resolver settings. Called once, before any query.

        Args:
            settings: Nameservers, attempts, timeout, deadline, DNSSEC.
            hosts: The number of hosts: the process may use more memory for many.
        """
        self._settings = replace(settings, nameservers=nameservers_of(settings))
        self.start()
        self._send(_plain(self._settings, hosts))
        if self._process is not None:
            self._hand_over(self._process)
        return self

    def ahead(self, queries: Iterable[Query]) -> None:
        """Send queries ahead of time: their answers arrive during other work.

        Called once, before any other query. Queries beyond the pipe's capacity are not sent: they
        would wait for the run, and their time would pass.
        """
        distinct = list(dict.fromkeys(queries))
        if not distinct or self._process is None:
            return
        kept = self._unsent
        self._put(distinct, time.monotonic() + self._span, everyone=False)
        if _holds(self._process.sink, len(self._unsent)):
            self._ahead = distinct
            self._hand_over(self._process)
        else:
            self._unsent = kept

    def __call__(self, queries: Iterable[Query]) -> dict[Query, Answer]:
        """Ask all queries at once; the first conclusive answer of any nameserver wins."""
        self._take_early()
        asked = dict.fromkeys(queries)
        early = {query: self._early.pop(query) for query in asked if query in self._early}
        rest = [query for query in asked if query not in early]
        late = dict(zip(rest, self._answers(rest, rest, everyone=False), strict=True))
        return {query: early[query] if query in early else late[query] for query in asked}

    def survey(self, queries: Iterable[Query]) -> dict[Query, dict[str, Answer]]:
        """Return each nameserver's answer, by the nameserver as written in the configuration."""
        self._take_early()
        asked = list(dict.fromkeys(queries))
        names = [str(one) for one in self.nameservers]
        expected = [query for query in asked for _ in names]
        answers = iter(self._answers(asked, expected, everyone=True))
        return {query: {name: next(answers) for name in names} for query in asked}

    def renew(self) -> None:
        """Start a new deadline for later queries."""
        self._ends = 0.0

    def close(self) -> None:
        """End the process, whatever its state."""
        for process in (self._process, self._aliases):
            if process is not None:
                process.end()
        self._process = self._aliases = None

    @property
    def _span(self) -> float:
        return self._settings.deadline.total_seconds()

    def _take_early(self) -> None:
        """Wait for the answers to queries sent ahead."""
        ahead, self._ahead = self._ahead, []
        if ahead:
            self._early = dict(zip(ahead, self._awaited(ahead), strict=True))

    def _answers(
        self, asked: Sequence[Query], expected: Sequence[Query], *, everyone: bool
    ) -> list[Answer]:
        """Ask, and wait; return an answer for each expected query."""
        if asked and self._process is not None:
            self._ends = self._ends or time.monotonic() + self._span
            self._put(asked, self._ends, everyone=everyone)
        return self._awaited(expected)

    def _put(self, asked: Sequence[Query], ends: float, *, everyone: bool) -> None:
        self._send((everyone, ends, [(one.hostname, one.family.value) for one in asked]))

    def _awaited(self, expected: Sequence[Query]) -> list[Answer]:
        """Wait; return an answer for each expected query.

        The deadline counts from here: an answer received in time may wait until it is read.
        """
        reader = AnswerReader(expected, first=not self._heard)
        if expected and self._process is not None:
            self._ends = self._ends or time.monotonic() + self._span
            self._exchange(self._process, reader)
        self._progress(len(expected), len(expected))
        lost = Unavailable(self._trouble or "not asked")
        return [reader.answers.get(place, lost) for place in range(len(expected))]

    def _send(self, document: tuple[Any, ...]) -> None:
        text = marshal.dumps(document)
        self._unsent += len(text).to_bytes(4, "big") + text

    def _exchange(self, process: Fork, reader: AnswerReader) -> None:
        """Send the questions and read answers, until all are there or the time is up."""
        total = len(reader)
        try:
            while not reader.is_over:
                left = self._ends + GRACE - time.monotonic()
                if left <= 0:
                    self._give_up(f"no answer before the deadline of {self._span:g} s")
                    return
                self._wait(process, left)
                if not self._take(process, reader):
                    return
                self._progress(len(reader.answers), total)
        except Unbelievable as error:
            reader.answers.clear()
            self._give_up(f"what the resolver's process sent is not believed: {error}")
        finally:
            self._heard = True
            if reader.confinement is not None:
                self.lacking = reader.confinement.lacking

    def _wait(self, process: Fork, seconds: float) -> None:
        waiting = select.poll()
        waiting.register(process.source, select.POLLIN)
        if self._unsent:
            waiting.register(process.sink, select.POLLOUT)
        waiting.poll(seconds * 1000)
        self._hand_over(process)

    def _hand_over(self, process: Fork) -> None:
        """Write as much as the pipe has room for."""
        if self._unsent:
            try:
                self._unsent = self._unsent[os.write(process.sink, self._unsent) :]
            except BlockingIOError:
                return
            except BrokenPipeError:  # it has ended: the next read finds that
                self._unsent = b""

    def _take(self, process: Fork, reader: AnswerReader) -> bool:
        """Read what has arrived. Whether more can come."""
        try:
            data = os.read(process.source, _CHUNK)
        except BlockingIOError:
            return True
        if data:
            reader.take(data)
            return True
        confinement = reader.confinement
        if confinement is not None and not confinement.is_sound:
            self._give_up(f"the resolver's process keeps too many rights: {confinement.lacking}")
        else:
            self._give_up("the resolver's process ended too early", _ENDING)
        return False

    def _give_up(self, trouble: str, patience: float = 0.0) -> None:
        """Stop asking for the rest of this run."""
        process, self._process = self._process, None
        how = process.end(patience) if process is not None else ""
        self._trouble = f"{trouble} ({how})" if how else trouble


def _holds(pipe: int, size: int) -> bool:
    """Whether a pipe takes so many bytes at once, beside the settings that may be in it."""
    size += PIPE // 2
    if size <= PIPE:
        return True
    from fcntl import F_SETPIPE_SZ, fcntl

    try:
        return size <= LARGEST and fcntl(pipe, F_SETPIPE_SZ, size) >= size
    except OSError:  # this user's pipes exceed their limit already
        return False


def _serve(requests: int, lines: int, source: int, sink: int) -> None:
    """Run the resolver process itself."""
    from allowsync.dns.alias_reader import AliasReader
    from allowsync.dns.child import serve

    serve(requests, lines, AliasReader(source, sink))


def _serve_aliases(requests: int, replies: int) -> None:
    """Run the process that reads aliases; loads nothing before the first: most runs have none."""
    os.setsid()  # signals of the terminal end the run, and the run ends this process
    os.environ.clear()
    waiting = select.poll()
    waiting.register(requests, select.POLLIN)
    waiting.poll()
    from allowsync.dns.alias_reader import serve

    serve(requests, replies)


def _plain(settings: ResolverSettings, hosts: int) -> tuple[Any, ...]:
    """Return the settings as plain values, and the number of hosts."""
    nameservers = [
        (one.address, one.port, one.transport.value, one.name, one.url)
        for one in settings.nameservers
    ]
    spans = (settings.timeout.total_seconds(), settings.attempts, settings.deadline.total_seconds())
    return (nameservers, settings.dnssec.value, *spans, hosts)
