"""Why something is not allowed, and what would be needed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.explain import Verdict, touches
from allowsync.reasons import short
from allowsync.special import rejection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from allowsync.decide import Decision
    from allowsync.explain import Explanation
    from allowsync.model import Network, Policy
    from allowsync.scene import Scene
    from allowsync.state.past import Past, Stay

MOST = 3  # earlier stays that are told


def about_network(
    asked: Network, decisions: Mapping[str, Decision], past: Past, policy: Policy
) -> Iterator[str]:
    """Why nobody may come from a network now, and what would be needed."""
    reason = rejection(asked.network_address, policy.accept)
    if reason:
        yield f"no name can give it access ({reason}); policy.accept would allow that"
    for decision in decisions.values():
        for hostname, what in decision.held_back:
            # A line about a refused address begins with that address.
            if what.partition(" ")[0] in map(str, _addresses(asked)):
                yield f"{decision.host.name}: {hostname}: {what}"
    earlier = [one for one in past.stays if touches(one.network, asked) and one.ended is not None]
    yield from map(told, reversed(earlier[-MOST:]))
    if not earlier and not reason:
        since = "" if past.first_run is None else f" since {past.first_run:%Y-%m-%d %H:%M} UTC"
        yield f"nobody came from there{since}"
    if not reason:
        yield "needed: a name of somebody trusted that points there, or `networks` at a host"


def _addresses(asked: Network) -> tuple[object, ...]:
    return (asked.network_address,) if asked.num_addresses == 1 else ()


def about_host(decision: Decision, past: Past, doubts: Iterator[str]) -> Iterator[str]:
    """Why a host may come from nowhere now, and what is held back of its names."""
    host = decision.host
    if decision.ended and host.until is not None:
        yield f"access ended on {host.until:%Y-%m-%d %H:%M} UTC (`until`)"
    elif decision.undecided:
        yield f"nothing is known yet of where {host.name} is: {_unheard(decision)}"
    elif not decision.grants:
        yield f"{host.name} has no address: {_unheard(decision)}"
    yield from doubts
    if not decision.grants:
        earlier = [one for one in past.stays if one.host == host.name and one.ended is not None]
        yield from map(told, reversed(earlier[-MOST:]))


def about_former(name: str, past: Past) -> Iterator[str]:
    """What is on record of a host that is not configured any more."""
    mine = [one for one in past.stays if one.host == name]
    if all(one.ended is not None for one in mine):
        yield f"{name} is not in the configuration any more"
    if not mine:
        yield f"{name} never had an address"
    yield from map(told, reversed([one for one in mine if one.ended is not None][-MOST:]))


def _unheard(decision: Decision) -> str:
    tracks = decision.memory.tracks.items()
    heard = {query.hostname: track.reason for query, track in tracks if track.reason}
    heard |= dict.fromkeys(decision.host.sources, "its networks are not known yet")
    return ", ".join(f"{name} ({why})" for name, why in heard.items()) or "not asked yet"


def about_past(scene: Scene, past: Past) -> Iterator[str]:
    """How much the history knows of an instant."""
    if scene.run is None:
        first = past.first_run
        begins = "no run is on record" if first is None else f"it begins {first:%Y-%m-%d %H:%M} UTC"
        yield f"the history does not go back that far: {begins}"
    else:
        yield f"by the history; the last run before that was at {scene.run:%Y-%m-%d %H:%M:%S} UTC"


def unrecorded(answer: Explanation) -> Iterator[str]:
    """What of an answer about the past would need the configuration of then, which nobody kept."""
    if answer.scene.run is None:
        return
    names = {access.hostname for access in answer.accesses}
    if answer.host is not None and answer.asked.lower() not in {answer.host, *names}:
        yield f"{answer.asked} is a name of {answer.host} today; its names then are not on record"
    denied = (Verdict.NO, Verdict.PARTLY)
    if answer.accesses and any(place.verdict in denied for place in answer.places):
        yield "which hosts an allowlist had then is not on record, only what its targets held"


def told(stay: Stay) -> str:
    """An earlier access in a sentence."""
    began = f"{stay.began:%Y-%m-%d %H:%M}"
    ended = "now" if stay.ended is None else f"{stay.ended:%Y-%m-%d %H:%M} UTC"
    why = f": {stay.why}" if stay.why else ""
    return f"{stay.host} could come from {short(stay.network)} from {began} to {ended}{why}"
