"""What the rest of the program asks the DNS through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.dns.event_loop import ask_all
from allowsync.dns.nameservers import system_nameservers
from allowsync.dns.query_state import Job
from allowsync.model.answer import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from allowsync.model.answer import Answer
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
        return {one.query: one.answer or NOT_ASKED for one in inquiries}

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
