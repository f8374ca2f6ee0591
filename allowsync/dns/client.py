"""What the rest of the program asks the DNS through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.dns.event_loop import ask_all
from allowsync.dns.nameservers import system_nameservers
from allowsync.dns.query_state import Job
from allowsync.model.answer import Unavailable
from allowsync.model.fingerprint import MOST_QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from allowsync.dns.query_state import Inquiry
    from allowsync.model.answer import Answer
    from allowsync.model.fingerprint import Reply
    from allowsync.model.nameserver import Nameserver, ResolverSettings
    from allowsync.model.types import Query

NOT_ASKED: Final = Unavailable("not asked")


class Resolver:
    """Asks nameservers what addresses names have.

    Args:
        settings: Nameservers, attempts, timeout, deadline, DNSSEC.
        servers: Asked instead of those of the settings. Where neither names any, the system's are.
    """

    def __init__(self, settings: ResolverSettings, *, servers: Sequence[Nameserver] = ()) -> None:
        chosen = tuple(servers) or settings.nameservers or system_nameservers()
        self.nameservers = tuple(dict.fromkeys(chosen))
        self._settings = settings
        self._replies: list[Inquiry] = []

    def resolve(
        self,
        queries: Iterable[Query],
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[Query, Answer]:
        """Ask all queries at once. Every query gets an answer; nothing about the DNS is raised.

        The first conclusive answer of any nameserver wins. Takes at most `settings.deadline` and
        the time to read what came by then.

        Args:
            queries: What to ask. Repetitions are asked once.
            progress: Called now and then, and at the end, with (settled, total).
        """
        jobs = [Job(query, self.nameservers) for query in dict.fromkeys(queries)]
        inquiries = ask_all(jobs, self._settings, progress)
        few = len(inquiries) <= MOST_QUESTIONS
        self._replies = [one for one in inquiries if few and one.reply is not None]
        return {one.query: one.answer or NOT_ASKED for one in inquiries}

    def replies(self) -> dict[Query, Reply]:
        """The answers of the last `resolve` as they came, where asking again can be compared.

        Empty after many questions. That is not so for what took TCP. Where there are several
        nameservers, an answer that proves nothing does not count: another one may know better.
        """
        from allowsync.dns.replay import comparable

        alone = len(self.nameservers) == 1
        return {one.query: reply for one in self._replies
                if (reply := comparable(one, alone=alone)) is not None}  # fmt: skip

    def survey(self, queries: Iterable[Query]) -> dict[Query, dict[str, Answer]]:
        """What each nameserver answers, by the nameserver as it is written in a configuration.

        All are asked at once, under the same deadline as one `resolve`.
        """
        jobs = [
            Job(query, (nameserver,))
            for query in dict.fromkeys(queries)
            for nameserver in self.nameservers
        ]
        said: dict[Query, dict[str, Answer]] = {}
        for job, one in zip(jobs, ask_all(jobs, self._settings), strict=True):
            said.setdefault(job.query, {})[str(job.nameservers[0])] = one.answer or NOT_ASKED
        return said
