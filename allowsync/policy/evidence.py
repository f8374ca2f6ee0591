"""What is asked beside new addresses, and what the answers tell of them. Pure.

Three made-up names beside one that gives a new address, each nameserver again where several have to
agree, and `ipv4only.arpa`. Where that is not answered the address is let in all the same, and asked
about again in each run of the window until it is.
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

# How many made-up names are asked beside one that gives a new address: a wildcard that hands out
# one of several addresses at random has to miss each of them.
SIBLINGS = 3


class Evidence(Value):
    """What the DNS said about newcomers beyond the answers themselves.

    Attributes:
        arrivals: Which of them that was found out about (see `to_prove`).
        agreement: How many nameservers must give an address.
        siblings: For a query, those that were put beside it, with made-up names.
        answers: What each nameserver answered to whatever was asked again or beside.
    """

    arrivals: tuple[NewAddress, ...] = ()
    agreement: int = 1
    siblings: Mapping[Query, tuple[Query, ...]] = field(default_factory=dict)
    answers: Mapping[Query, Mapping[str, Answer]] = field(default_factory=dict)


def to_prove(new: Iterable[NewAddress], ledger: Ledger) -> tuple[NewAddress, ...]:
    """What questions are put beside: arrivals, and earlier ones where these were not answered."""
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
    """For each query with an arrival, some with a made-up first label, where the policy wants it.

    A name right below the top of the DNS has none: who asks for `x.org` learns nothing of `y.org`.
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
    """What to ask every nameserver about where several have to agree."""
    return tuple(dict.fromkeys(one.query for one in new if not one.latched and not one.granted))


def key_of(one: NewAddress) -> tuple[str, Network]:
    """What a sighting of an address is found by: the name that gave it, and the network."""
    return one.query.hostname, one.network


def unproven(evidence: Evidence, heard: Heard) -> set[tuple[str, Network]]:
    """Arrivals of which no made-up name was answered, or which DNS64 may have made unnoticed."""
    told = all_told(evidence)
    return {
        key_of(one)
        for one in evidence.arrivals
        if (one.query in evidence.siblings and parent_of(one.query) not in heard.decoys)
        or (not told and may_be_synthesized(one.address))
    }


def all_told(evidence: Evidence) -> bool:
    """Whether each nameserver told whether it does DNS64."""
    probed = evidence.answers.get(PROBE, {}).values()
    return all(isinstance(one, Found | Absent) for one in probed)


def parent_of(query: Query) -> Query:
    """The question that sightings of made-up names beside a name are kept under."""
    return Query(query.hostname.partition(".")[2], query.family)


def decoys(evidence: Evidence, agreement: int = 1) -> dict[Query, frozenset[Network]]:
    """What made-up names gave, by their parent, and what a DNS64 resolver makes addresses of.

    Args:
        evidence: What was found out.
        agreement: How many nameservers have to have given it.
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
    """The networks that so many nameservers gave."""
    every = set().union(*said)
    return frozenset(one for one in every if sum(one in mine for mine in said) >= agreement)


def _alone(address: Address) -> Network:
    return network(address.version, int(address), address.max_prefixlen)
