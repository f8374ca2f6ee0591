"""Rules of traversed chains beside the deciding ones: chance, limits, forms, uncopied state."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from allowsync.packetpath.chance import concerns, concerns_legacy, one_of, one_of_legacy
from allowsync.packetpath.forms import asks_form, asks_form_legacy
from allowsync.packetpath.packet import PROTOCOLS
from allowsync.packetpath.uncopied import other_kinds, uncopied, uncopied_legacy
from allowsync.packetpath.unlimited import stops_beyond, stops_beyond_legacy
from allowsync.packetpath.words import legacy_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.packetpath.copy import Copy
    from allowsync.packetpath.probe import Probe
    from allowsync.packetpath.words import Place, Words


class Chains:
    """The chains of one copy, cached: packets traverse the same ones again and again."""

    def __init__(self, copy: Copy, words: Words) -> None:
        self._cables, self._words, self._original = copy.cables.ends, words, copy.original
        self._odds, self._legacy_odds = cache(self._find_odds), cache(self._find_legacy_odds)
        self._formed = cache(self._asks_form)
        self._legacy_formed = cache(self._asks_legacy_form)
        self._limits, self._legacy_limits = cache(self._find_limit), cache(self._find_legacy_limit)
        self._lacks, self._legacy_lacks = cache(self._find_lack), cache(self._find_legacy_lack)

    def chance(self, probe: Probe, ports: frozenset[int]) -> tuple[int, str]:
        """Return the odds (one of how many) of a random rule for some ports, and its chain."""
        protocol = PROTOCOLS[probe.question.protocol]
        odds = [
            (self._odds(self._words.place(one), ports, protocol), one.chain) for one in probe.events
        ]
        name = probe.question.protocol
        odds += [
            (self._legacy_odds(legacy_place(one), ports, name), one.chain) for one in probe.legacy
        ]
        most, chain = max(odds, default=(0, ""))
        return most, f"a rule of chain {chain} decides by chance" if most else ""

    def limit(self, probe: Probe, ports: frozenset[int]) -> str:
        """Return a chain with a rule that stops packets for ports beyond a limit; "" if none."""
        name = probe.question.protocol
        for one in probe.events:
            if self._limits(self._words.place(one), ports, PROTOCOLS[name]):
                return one.chain
        limits = (
            one for one in probe.legacy if self._legacy_limits(legacy_place(one), ports, name)
        )
        return next((one.chain for one in limits), "")

    def form(self, probe: Probe, ports: frozenset[int]) -> str:
        """Return a chain that matches more than packets for the same port share; "" if none."""
        name = probe.question.protocol
        for one in probe.events:
            if self._formed(self._words.place(one), ports, PROTOCOLS[name]):
                return one.chain
        formed = (
            one for one in probe.legacy if self._legacy_formed(legacy_place(one), ports, name)
        )
        return next((one.chain for one in formed), "")

    def uncopied(self, probe: Probe, ports: frozenset[int]) -> str:
        """Return the state that a rule needs and the copy lacks, for packet or answer; or ""."""
        return next(filter(None, self._uncopied(probe, ports)), "")

    def _uncopied(self, probe: Probe, ports: frozenset[int]) -> Iterator[str]:
        question = probe.question
        protocol = PROTOCOLS[question.protocol]
        owners = (
            self._original.owner(question.protocol, question.source.version, p) for p in ports
        )
        heard = any(one is not None for one in owners)
        for met, is_answer in ((probe.events, False), (probe.back, True)):
            for place in {self._words.place(one): None for one in met}:
                at = (place, ports, protocol, probe.index)
                yield self._lacks(*at, is_answer=is_answer, heard=heard)
        for by_legacy, is_answer in ((probe.legacy, False), (probe.legacy_back, True)):
            for place in dict.fromkeys(map(legacy_place, by_legacy)):
                asked = (place, ports, question.protocol)
                yield self._legacy_lacks(*asked, is_answer=is_answer, heard=heard)

    def _find_odds(self, place: Place, ports: frozenset[int], protocol: int) -> int:
        odds = (one_of(rule, ports, protocol) for rule in self._words.chain(place))
        return max(odds, default=0)

    def _find_legacy_odds(self, place: Place, ports: frozenset[int], protocol: str) -> int:
        odds = (one_of_legacy(rule, ports, protocol) for rule in self._words.legacy_chain(place))
        return max(odds, default=0)

    def _find_limit(self, place: Place, ports: frozenset[int], protocol: int) -> bool:
        rules = self._words.chain(place)
        return any(stops_beyond(one) and concerns(one, ports, protocol) for one in rules)

    def _find_legacy_limit(self, place: Place, ports: frozenset[int], protocol: str) -> bool:
        rules = self._words.legacy_chain(place)
        return any(
            stops_beyond_legacy(one) and concerns_legacy(one, ports, protocol) for one in rules
        )

    def _asks_form(self, place: Place, ports: frozenset[int], protocol: int) -> bool:
        rules = self._words.chain(place)
        return any(asks_form(one) and concerns(one, ports, protocol) for one in rules)

    def _asks_legacy_form(self, place: Place, ports: frozenset[int], protocol: str) -> bool:
        rules = self._words.legacy_chain(place)
        return any(asks_form_legacy(one) and concerns_legacy(one, ports, protocol) for one in rules)

    def _find_lack(
        self,
        place: Place,
        ports: frozenset[int],
        protocol: int,
        index: int,
        *,
        is_answer: bool,
        heard: bool,
    ) -> str:
        others = other_kinds(self._cables[index], self._cables.values())
        lacks = (
            uncopied(rule, others, answers=is_answer, heard=heard)
            for rule in self._words.chain(place)
            if concerns(rule, ports, protocol, answers=is_answer)
        )
        return next(filter(None, lacks), "")

    def _find_legacy_lack(
        self, place: Place, ports: frozenset[int], protocol: str, *, is_answer: bool, heard: bool
    ) -> str:
        lacks = (
            uncopied_legacy(rule, answers=is_answer, heard=heard)
            for rule in self._words.legacy_chain(place)
            if concerns_legacy(rule, ports, protocol, answers=is_answer)
        )
        return next(filter(None, lacks), "")
