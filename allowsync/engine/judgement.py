"""Queries about the hosts of a run, and the decisions about their grants."""

from __future__ import annotations

import os

from allowsync.model.answer import Absent
from allowsync.model.types import Family, Query
from allowsync.model.value import Value
from allowsync.policy.decision import Decision, conclude, has_ended, judgements, unmoved
from allowsync.policy.screening import judge
from allowsync.policy.sightings import given_again, taken_back
from allowsync.policy.tracking import NOTHING_KNOWN, unproven
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from allowsync.dns.interface import Resolve
    from allowsync.engine.memory import Memory
    from allowsync.model.answer import Answer
    from allowsync.model.memory import HostMemory, RetentionState
    from allowsync.model.types import Host, Network
    from allowsync.policy.evidence import Evidence
    from allowsync.policy.newcomers import NewAddress
    from allowsync.policy.screening import ScreenedAnswer
    from allowsync.policy.sightings import Ledger, Refuted


class Judgement(Value):
    """The decisions about the hosts of a run, and the evidence to remember.

    Attributes:
        decisions: The decision about each host.
        ledger: The evidence.
        again: The former memory of each host of which only the time is new.
    """

    decisions: dict[str, Decision]
    ledger: Ledger
    again: Mapping[str, HostMemory]


def decide_hosts(memory: Memory, resolve: Resolve) -> Judgement:
    """Decide the grants of each host of a run.

    Args:
        memory: The input of the run.
        resolve: Queries the DNS; unused in an offline run.
    """
    every, now, ledger = memory.hosts_of_run, memory.now, memory.ledger
    followed = {} if memory.fleet is None else memory.fleet.followed
    hosts = [one for one in every if one.name not in followed] if followed else every
    answers = {} if memory.request.offline else _answers(memory, hosts, resolve)
    known, edge = memory.hosts, memory.edge
    looked = ((one.name, unmoved(one, answers, known[one.name], now, edge)) for one in hosts)
    steady = {name: decision for name, decision in looked if decision is not None}
    judged = {
        one.name: steady[one.name].judged if one.name in steady else judgements(one, answers, edge)
        for one in hosts
    }
    stands: Mapping[str, Decision] = steady
    refuted: Refuted = {}
    heard: Mapping[Query, Mapping[str, Answer]] = {}
    again = given_again(ledger, hosts, judged, known, steady, now)
    if again is not None:
        ledger = again
    else:
        judged, ledger, refuted, heard = _guarded(memory, hosts, judged, steady, resolve)
        stands = {
            name: one
            for name, one in steady.items()
            if judged[name] is one.judged and refuted.keys().isdisjoint(one.host.hostnames)
        }
    moving = [one for one in hosts if one.name not in stands]
    unclear = _contested(memory, moving, judged, heard, resolve)
    decisions = {
        name: stands.get(name)
        or conclude(host, judged[name], known[name], now, refuted, unclear.get(name))
        for name, host in ((host.name, host) for host in hosts)
    }
    if names := _edited_away(memory, moving, decisions) if ledger.sightings else {}:
        ledger = ledger.renamed(names)
    if followed:
        decisions = _with_followed(every, decisions, followed, memory)
    return Judgement(decisions, ledger, {name: known[name] for name in stands})


def _edited_away(
    memory: Memory, hosts: Iterable[Host], decisions: Mapping[str, Decision]
) -> dict[str, str]:
    """By former hostname that does not count any more, the present one of its host.

    A host that comes home under its new name is not another one beside the former name.
    """
    found: dict[str, str] = {}
    for host in hosts:
        before, after = memory.hosts[host.name], decisions[host.name].memory
        gone = {query.hostname for query in (*before.former, *before.tracks)}
        gone -= {query.hostname for query in (*after.former, *after.tracks)}
        found.update((name, present) for name in gone for present in host.hostnames[:1])
    if found:
        configured = {name for one in memory.config.hosts.values() for name in one.hostnames}
        return {name: present for name, present in found.items() if name not in configured}
    return found


def _guarded(
    memory: Memory,
    hosts: Sequence[Host],
    judged: dict[str, tuple[ScreenedAnswer, ...]],
    steady: Mapping[str, Decision],
    resolve: Resolve,
) -> tuple[
    dict[str, tuple[ScreenedAnswer, ...]], Ledger, Refuted, Mapping[Query, Mapping[str, Answer]]
]:
    """The screened answers and sightings after the guards, refuted networks, and evidence."""
    from allowsync.policy.newcomers import newcomers

    known, ledger, now = memory.hosts, memory.ledger, memory.now
    new = newcomers(hosts, judged, known, ledger, now, steady)
    if not any(judged.values()) or not (new or ledger.sightings):
        return judged, ledger, taken_back(ledger), {}
    from allowsync.policy.guards import guard

    holders = {
        name: (host, known[name])
        for name, host in memory.config.hosts.items()
        if not has_ended(host, now)
    }
    evidence = _evidence(new, ledger, memory.config.resolver.agreement, resolve)
    return *guard(new, judged, evidence, holders, ledger, now), evidence.answers


def _with_followed(
    hosts: Sequence[Host],
    decisions: Mapping[str, Decision],
    followed: Mapping[str, str],
    memory: Memory,
) -> dict[str, Decision]:
    """The decisions about all hosts, including those that other machines decide about."""
    from allowsync.policy.fleet import follow

    return {
        one.name: follow(one, memory.hosts[one.name], followed[one.name], memory.now)
        if one.name in followed
        else decisions[one.name]
        for one in hosts
    }


def _answers(memory: Memory, hosts: Sequence[Host], resolve: Resolve) -> dict[Query, Answer]:
    """The DNS answers; an absence counts only where nameservers agree on it."""
    settings = memory.config.resolver
    asking = [host for host in hosts if not has_ended(host, memory.now)]
    queries = dict.fromkeys(query for host in asking for query in host.queries)
    if not queries:
        return {}
    answers = dict(resolve(queries))
    absent = {query for query, answer in answers.items() if isinstance(answer, Absent)}
    if not absent:
        return answers
    tracks = [
        (query, _track(memory, host, query))
        for host in asking
        for query in host.queries
        if query in absent
    ]
    doubted = [(query, track) for query, track in tracks if unproven(answers[query], track)]
    if not doubted:
        return answers
    from allowsync.policy.absence import agreed, contradicted

    answers |= contradicted(answers, [query for query, track in doubted if track.held])
    doubtful = {query: answers[query] for query, track in doubted}
    doubtful = {query: one for query, one in doubtful.items() if isinstance(one, Absent)}
    if doubtful and len(settings.nameservers) != 1:
        everyone = resolve.survey(doubtful)
        for query, answer in doubtful.items():
            answers[query] = agreed(answer, everyone.get(query, {}), settings.agreement)
    return answers


def _track(memory: Memory, host: Host, query: Query) -> RetentionState:
    return memory.hosts[host.name].tracks.get(query, NOTHING_KNOWN)


def _contested(
    memory: Memory,
    hosts: Sequence[Host],
    judged: Mapping[str, Sequence[ScreenedAnswer]],
    heard: Mapping[Query, Mapping[str, Answer]],
    resolve: Resolve,
) -> dict[str, dict[Query, frozenset[Network]]]:
    """Held networks that too few nameservers omitted; none where one nameserver is enough."""
    agreement = memory.config.resolver.agreement
    if agreement <= 1:
        return {}
    from allowsync.policy.absence import contested, left_out

    missing = {
        (host, one.query): left_out(one.answer, _track(memory, host, one.query), host)
        for host in hosts
        for one in judged[host.name]
    }
    missing = {key: networks for key, networks in missing.items() if networks}
    said = dict(heard)
    unheard = dict.fromkeys(query for _, query in missing if query not in said)
    if unheard:
        said.update(resolve.survey(unheard))
    edge = memory.edge
    found: dict[str, dict[Query, frozenset[Network]]] = {}
    for (host, query), networks in missing.items():
        believed = {name: judge(query, one, host, edge).answer for name, one in said[query].items()}
        unclear = contested(networks, believed, host, agreement)
        found.setdefault(host.name, {})[query] = unclear
    return found


def _evidence(
    new: Collection[NewAddress], ledger: Ledger, agreement: int, resolve: Resolve
) -> Evidence:
    """Send the probes for new addresses; none where nothing is new."""
    from allowsync.policy.dns64 import PROBE
    from allowsync.policy.evidence import Evidence, disputed, siblings, to_prove

    arrivals = to_prove(new, ledger)
    beside = siblings(arrivals, _label)
    asked = [query for made_up in beside.values() for query in made_up]
    if agreement > 1:
        asked += disputed(new)
    heard = dict(_heard(asked, agreement, resolve))
    if any(one.query.family is Family.IPV6 for one in arrivals):
        heard.update(resolve.survey([PROBE]))  # any of the nameservers may do DNS64
    return Evidence(arrivals, agreement, beside, heard)


def _heard(
    asked: Sequence[Query], agreement: int, resolve: Resolve
) -> Mapping[Query, Mapping[str, Answer]]:
    if not asked:
        return {}
    if agreement > 1:
        return resolve.survey(asked)
    # One nameserver's answer was enough for the address, so it is for the sibling: a nameserver
    # that is down does not delay a friend who moved.
    return {query: {"": answer} for query, answer in resolve(asked).items()}


def _label() -> str:
    """A first label that no host has: 64 random bits."""
    return os.urandom(8).hex()
