"""The DNS client of one process."""

from __future__ import annotations

from allowsync.dns.event_loop import ask_all
from allowsync.dns.query_state import Job
from allowsync.dns.resolv_conf import nameservers_of
from allowsync.model.answer import Unavailable
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.dns.event_loop import Told
    from allowsync.dns.wire_parse import ChainEnd
    from allowsync.model.answer import Answer
    from allowsync.model.nameserver import Nameserver, ResolverSettings
    from allowsync.model.types import Query

NOT_ASKED: Final = Unavailable("not asked")


class Resolver:
    """Asks nameservers for the addresses of names, in this very process.

    Args:
        settings: Nameservers, attempts, timeout, deadline, DNSSEC.
        servers: Used instead of those of the settings. Without either, the system's are.
        chain_end: Follows aliases, in place of `allowsync.dns.aliases.chain_end`.
    """

    def __init__(
        self,
        settings: ResolverSettings,
        *,
        servers: Sequence[Nameserver] = (),
        chain_end: ChainEnd | None = None,
    ) -> None:
        self.nameservers = nameservers_of(settings, servers)
        self._settings = settings
        self._chain_end = chain_end

    def resolve(
        self, queries: Iterable[Query], *, ends: float | None = None, told: Told | None = None
    ) -> dict[Query, Answer]:
        """Ask all queries at once. Every query gets an answer; no DNS failure is raised.

        The first conclusive answer of any nameserver wins. Takes at most `settings.deadline` and
        the time to read what has arrived by then.

        Args:
            queries: The queries; each distinct one is asked once.
            ends: The deadline, by `time.monotonic`, where it does not count from now.
            told: Called with places of queries and their answers, soon after these are known.
        """
        jobs = [Job(query, self.nameservers) for query in dict.fromkeys(queries)]
        inquiries = ask_all(jobs, self._settings, ends=ends, told=told, chain_end=self._chain_end)
        return {one.query: one.answer or NOT_ASKED for one in inquiries}

    def survey(
        self, queries: Iterable[Query], *, ends: float | None = None, told: Told | None = None
    ) -> dict[Query, dict[str, Answer]]:
        """Return each nameserver's answer, by the nameserver as written in the configuration.

        All are asked at once, under the same deadline as one `resolve`. Places count every
        nameserver of the first query, then those of the second.
        """
        jobs = [
            Job(query, (nameserver,))
            for query in dict.fromkeys(queries)
            for nameserver in self.nameservers
        ]
        inquiries = ask_all(jobs, self._settings, ends=ends, told=told, chain_end=self._chain_end)
        said: dict[Query, dict[str, Answer]] = {}
        for job, one in zip(jobs, inquiries, strict=True):
            said.setdefault(job.query, {})[str(job.nameservers[0])] = one.answer or NOT_ASKED
        return said
