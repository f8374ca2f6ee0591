"""Assumed answers in place of the DNS, for a rehearsal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from allowsync.dns.interface import Resolve
    from allowsync.model.answer import Answer
    from allowsync.model.types import Query


class Assumption(Value):
    """The assumed answers for a host or for one hostname.

    Attributes:
        subject: The host or the hostname, as written.
        said: The answer in short, as written: `SERVFAIL`, `203.0.113.9`.
        answers: The answer to each question about it.
    """

    subject: str
    said: str
    answers: Mapping[Query, Answer]


class AssumedDns:
    """Returns assumed answers, and queries the DNS for the others, each question once.

    Every nameserver gives the assumed answers. Made-up names differ in each run: those of the first
    run beside a parent stand for those of later ones.

    Args:
        resolve: Queries the DNS.
        nameservers: The names of the configured nameservers.
        assumptions: The assumptions; for the same question the last one counts.
        known: The questions about configured names: all others are about made-up ones.
    """

    def __init__(
        self,
        resolve: Resolve,
        nameservers: Sequence[str],
        assumptions: Iterable[Assumption],
        known: Iterable[Query],
    ) -> None:
        self._resolve = resolve
        self._nameservers = nameservers
        self._known = frozenset(known)
        self._assumed: dict[Query, Answer] = {}
        for one in assumptions:
            self._assumed.update(one.answers)
        self._answers: dict[str, Answer] = {}
        self._surveys: dict[str, Mapping[str, Answer]] = {}

    def __call__(self, queries: Iterable[Query]) -> Mapping[Query, Answer]:
        """Answer all questions."""
        keys = self._keys(queries)
        missing = [query for query, key in keys.items() if key and key not in self._answers]
        given = self._resolve(missing) if missing else {}
        self._answers.update({keys[query]: one for query, one in given.items()})
        return {
            query: self._answers[key] if key else self._assumed[query]
            for query, key in keys.items()
        }

    def survey(self, queries: Iterable[Query]) -> Mapping[Query, Mapping[str, Answer]]:
        """Answer all questions once for every nameserver, by its name."""
        keys = self._keys(queries)
        missing = [query for query, key in keys.items() if key and key not in self._surveys]
        given = self._resolve.survey(missing) if missing else {}
        self._surveys.update({keys[query]: one for query, one in given.items()})
        return {
            query: self._surveys[key]
            if key
            else dict.fromkeys(self._nameservers, self._assumed[query])
            for query, key in keys.items()
        }

    def _keys(self, queries: Iterable[Query]) -> dict[Query, str]:
        """The cache key of each question; empty where its answer is assumed."""
        keys, counts = {}, Counter[str]()
        for query in dict.fromkeys(queries):
            name = query.hostname
            if query not in self._known:
                parent = f"{query.family.value} {name.partition('.')[2]}"
                counts[parent] += 1
                name = f"made-up {counts[parent]} of {parent}"
            keys[query] = "" if query in self._assumed else f"{query.family.value} {name}"
        return keys
