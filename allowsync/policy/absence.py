"""Agreement on removal: proven absence, and networks missing from an answer. Pure.

One nameserver that lies, filters or lags must not end a friend's access. So with several of them a
name is absent in a run only if at least two prove it (or `agreement`, if that is more) and none
gives an address. And where several have to agree on a new address, as many have to omit an old one
from their answers before it counts as replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.policy.screening import network_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from allowsync.model.memory import RetentionState
    from allowsync.model.types import Host, Network, Query

TWO = 2


def contradicted(answers: Mapping[Query, Answer], held: Collection[Query]) -> dict[Query, Answer]:
    """The replacements for an NXDOMAIN of a name that has an address of the other family.

    NXDOMAIN means that the name does not exist at all (RFC 8020). Broken nameservers return it for
    one type only (RFC 4074), so it proves nothing there.

    Args:
        answers: The answers of a run.
        held: The questions by which an address is held.
    """
    there = {query.hostname for query, one in answers.items() if isinstance(one, Found)}
    return {
        query: Unavailable("NXDOMAIN, but it has an address of the other family")
        for query in held
        if query.hostname in there and answers.get(query) == Absent("NXDOMAIN")
    }


def agreed(answer: Answer, everyone: Mapping[str, Answer], agreement: int) -> Answer:
    """An absence weighed against the answers of all nameservers.

    Args:
        answer: The absence that one nameserver proved.
        everyone: The answers of all nameservers, that one included.
        agreement: The number of nameservers that have to agree on a new address.
    """
    if len(everyone) < TWO:
        return answer
    giving = [name for name, one in everyone.items() if isinstance(one, Found)]
    if giving:
        return Unavailable(f"nameservers disagree: {giving[0]} returns an address")
    proving = sum(isinstance(one, Absent) for one in everyone.values())
    needed = max(TWO, agreement)
    if proving < needed:
        return Unavailable(f"{proving} of {len(everyone)} nameservers prove it, {needed} have to")
    return answer


def left_out(answer: Answer, track: RetentionState, host: Host) -> frozenset[Network]:
    """The networks that a host holds and that a good answer omits."""
    if not isinstance(answer, Found):
        return frozenset()
    given = {network_of(address, host) for address in answer.addresses}
    return frozenset(network_of(one.address, host) for one in track.held) - given


def contested(
    networks: Collection[Network], everyone: Mapping[str, Answer], host: Host, agreement: int
) -> frozenset[Network]:
    """The networks that too few nameservers omitted for a replacement.

    Args:
        networks: The networks that one nameserver's answer omits.
        everyone: The screened answers of all nameservers, that one included.
        host: The host that holds the networks.
        agreement: The number of nameservers that have to agree on a new address.
    """
    given = [
        {network_of(address, host) for address in one.addresses}
        for one in everyone.values()
        if isinstance(one, Found)
    ]
    return frozenset(
        network for network in networks if sum(network not in one for one in given) < agreement
    )
