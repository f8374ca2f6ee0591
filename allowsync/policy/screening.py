"""Screening of the addresses in an answer. Pure.

An answer meets the reject list and `max_addresses` here, and then the guards (see
`allowsync.policy.guards`). If nothing is left it becomes `Unavailable`, marked suspicious: it adds
nothing, and it counts as no answer for removals too. Otherwise a parked name would replace every
known address.
"""

from __future__ import annotations

from ipaddress import IPv4Address

from allowsync.model.answer import Answer, Found, Unavailable
from allowsync.model.networks import around
from allowsync.model.special_purpose import rejection
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.model.types import Address, Host, Network, Query

REJECTED: Final = "rejected: "  # begins the reason of an answer without a credible address
UNHEARD: Final = "fleet: "  # begins the reason where the machine that asks the DNS is silent


class RejectedAddress(Value):
    """A rejected address, and the reason.

    `guarded` says that a guard rejected it for now, although it could be a home; `tenable`, that it
    would stay if its host held it.
    """

    address: Address
    reason: str
    guarded: bool = False
    tenable: bool = False


class GuardRefusal(Value):
    """The reason why a guard rejects an address.

    Attributes:
        seen: The observation, in the same words in every run that makes it.
        advice: The remedy.
        tenable: Whether it applies to new addresses only: it refutes no held one.
    """

    seen: str
    advice: str
    tenable: bool = False

    @property
    def said(self) -> str:
        """The observation and the remedy."""
        return f"{self.seen}; {self.advice}"


class ScreenedAnswer(Value):
    """One question, its accepted answer, and the rejected addresses."""

    query: Query
    answer: Answer
    rejected: tuple[RejectedAddress, ...] = ()


def network_of(address: Address, host: Host) -> Network:
    """The network granted for an address, as wide as the host's prefix for that family."""
    width = host.ipv4_prefix if isinstance(address, IPv4Address) else host.ipv6_prefix
    return around(address, width)


def judge(
    query: Query, answer: Answer, host: Host, edge: tuple[Network, ...] = ()
) -> ScreenedAnswer:
    """Screen a DNS answer by the reject list and `max_addresses`.

    Args:
        query: The query.
        answer: The answer.
        host: The host, with its policy and prefix lengths.
        edge: The networks published by Cloudflare, where known.
    """
    if not isinstance(answer, Found):
        return ScreenedAnswer(query, answer)
    policy = host.policy
    if len(answer.addresses) > policy.max_addresses:
        return _too_many(query, answer, policy.max_addresses)
    accept = policy.accept
    reasons = [(one, rejection(network_of(one, host), accept, edge)) for one in answer.addresses]
    if not any(reason for _, reason in reasons):
        return ScreenedAnswer(query, answer)
    rejected = tuple(RejectedAddress(address, reason) for address, reason in reasons if reason)
    believed = tuple(address for address, reason in reasons if not reason)
    if not believed:
        first = rejected[0]
        what = f"{REJECTED}{first.address} is {first.reason}"
        return ScreenedAnswer(query, Unavailable(what, suspicious=True), rejected)
    return ScreenedAnswer(query, Found(believed, answer.ttl), rejected)


def without(judged: ScreenedAnswer, refused: Mapping[Address, GuardRefusal]) -> ScreenedAnswer:
    """The answer without addresses that guards rejected.

    If nothing is left, it is unavailable, marked suspicious.
    """
    if not isinstance(judged.answer, Found):
        return judged
    mine = [address for address in judged.answer.addresses if address in refused]
    if not mine:
        return judged
    left = tuple(address for address in judged.answer.addresses if address not in refused)
    rejected = tuple(
        RejectedAddress(one, refused[one].said, guarded=True, tenable=refused[one].tenable)
        for one in mine
    )
    answer: Answer = Found(left, judged.answer.ttl)
    if not left:
        what = f"{REJECTED}{mine[0]}: {refused[mine[0]].seen}"
        answer = Unavailable(what, suspicious=True)
    return ScreenedAnswer(judged.query, answer, (*judged.rejected, *rejected))


def _too_many(query: Query, answer: Found, most: int) -> ScreenedAnswer:
    count = len(answer.addresses)
    reason = f"one of {count} addresses in one answer, more than max_addresses ({most})"
    rejected = tuple(RejectedAddress(address, reason) for address in answer.addresses)
    what = f"{REJECTED}{count} addresses in one answer, more than max_addresses ({most})"
    return ScreenedAnswer(query, Unavailable(what, suspicious=True), rejected)
