"""Probes beside new addresses, and the evidence in their answers. Pure.

The probes are three made-up names beside one that gives a new address, each nameserver again where
several have to agree, and `ipv4only.arpa`. Without an answer to them the address is granted all
the same, and the probes are repeated in each run of the window until they are answered.
"""

from __future__ import annotations

from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.networks import network, overlap
from allowsync.model.types import Query
from allowsync.model.value import Value, field
from allowsync.policy.dns64 import PROBE, may_be_synthesized, translation_prefixes
from allowsync.policy.sightings import by_hostname
from allowsync.typed import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from allowsync.model.types import Address, Network
    from allowsync.policy.newcomers import NewAddress
    from allowsync.policy.sightings import Heard, Ledger

# The number of made-up names beside one that gives a new address: a wildcard that returns one of
# several addresses at random has to miss each of them.
SIBLINGS = 3


class Evidence(Value):
    """The answers about new addresses beyond those to the hosts' queries.

    Attributes:
        arrivals: The new addresses that were probed (see `to_prove`).
        agreement: The number of nameservers that must give an address.
        siblings: By query, the probes beside it, with made-up names.
        answers: The answers of each nameserver to repeated queries and probes.
    """

    arrivals: tuple[NewAddress, ...] = ()
    agreement: int = 1
    siblings: Mapping[Query, tuple[Query, ...]] = field(default_factory=dict)
    answers: Mapping[Query, Mapping[str, Answer]] = field(default_factory=dict)


def to_prove(new: Iterable[NewAddress], ledger: Ledger) -> tuple[NewAddress, ...]:
    """The new addresses to probe: arrivals, and earlier ones with unanswered probes."""
    again = by_hostname(ledger.unproven)
    return tuple(
        one
        for one in new
        if not one.granted
        or any(overlap(one.network, that) for that in again.get(one.query.hostname, ()))
    )


def siblings(
    arrivals: Iterable[NewAddress], label: Callable[[], str]
) -> dict[Query, tuple[Query, ...]]:
    """By query with an arrival, probes with a made-up first label, where the policy wants them.

    A name right below the top of the DNS has none: an answer for `x.org` proves nothing of `y.org`.
    """
    wanted = dict.fromkeys(
        one.query for one in arrivals if one.host.policy.canary and not one.latched
    )
    parents = ((query, query.hostname.partition(".")[2]) for query in wanted)
    return {
        query: tuple(Query(f"{label()}.{parent}", query.family) for _ in range(SIBLINGS))
        for query, parent in parents
        if "." in parent
    }


def disputed(new: Iterable[NewAddress]) -> tuple[Query, ...]:
    """The queries to put to every nameserver where several have to agree.

    Also of names pending approval: what one nameserver alone gives them is no evidence against the
    host that has it.
    """
    return tuple(dict.fromkeys(one.query for one in new if not one.granted))


def key_of(one: NewAddress) -> tuple[str, Network]:
    """The key of an address's sighting: the name that gave it, and the network."""
    return one.query.hostname, one.network


def unproven(evidence: Evidence, heard: Heard) -> set[tuple[str, Network]]:
    """Arrivals without an answered probe, or that DNS64 may have synthesized undetected."""
    told = all_told(evidence)
    return {
        key_of(one)
        for one in evidence.arrivals
        if (one.query in evidence.siblings and parent_of(one.query) not in heard.decoys)
        or (not told and may_be_synthesized(one.address))
    }


def all_told(evidence: Evidence) -> bool:
    """Whether each nameserver answered the DNS64 probe."""
    probed = evidence.answers.get(PROBE, {}).values()
    return all(isinstance(one, Found | Absent) for one in probed)


def parent_of(query: Query) -> Query:
    """The parent query, under which sightings of made-up names beside a name are recorded."""
    return Query(query.hostname.partition(".")[2], query.family)


def decoys(evidence: Evidence, agreement: int = 1) -> dict[Query, frozenset[Network]]:
    """The networks that made-up names gave, by parent query, and the prefixes of DNS64 resolvers.

    Args:
        evidence: The evidence.
        agreement: The number of nameservers that have to have given one.
    """
    given: dict[Query, dict[str, set[Network]]] = {}
    for query, beside in evidence.siblings.items():
        parent = parent_of(query)
        for sibling in beside:
            for nameserver, answer in evidence.answers.get(sibling, {}).items():
                match answer:
                    case Found(addresses):
                        mine = given.setdefault(parent, {}).setdefault(nameserver, set())
                        mine.update(map(_alone, addresses))
                    case Absent():
                        given.setdefault(parent, {}).setdefault(nameserver, set())
                    case Unavailable():
                        pass
                    case _:
                        assert_never(answer)
    probed = evidence.answers.get(PROBE, {})
    if any(isinstance(one, Found | Absent) for one in probed.values()):
        given[PROBE] = {name: set(translation_prefixes([one])) for name, one in probed.items()}
    return {query: _given_by(said.values(), agreement) for query, said in given.items()}


def _given_by(said: Collection[set[Network]], agreement: int) -> frozenset[Network]:
    """The networks that at least `agreement` nameservers gave."""
    every = set().union(*said)
    return frozenset(one for one in every if sum(one in mine for mine in said) >= agreement)


def _alone(address: Address) -> Network:
    return network(address.version, int(address), address.max_prefixlen)
