"""Asks the extra questions that new addresses raise. In a run without any, nothing is asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from allowsync.model.memory import HostMemory
from allowsync.policy.decision import has_ended
from allowsync.policy.guards import Evidence, disputed, givers, guard, newcomers, siblings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from allowsync.config.settings import Config
    from allowsync.dns.interface import Resolve
    from allowsync.model.answer import Answer
    from allowsync.model.types import Host, Query
    from allowsync.policy.screening import ScreenedAnswer
    from allowsync.policy.tracking import Now


def guarded(
    config: Config,
    hosts: Sequence[Host],
    judged: dict[str, tuple[ScreenedAnswer, ...]],
    memories: Mapping[str, HostMemory],
    resolve: Resolve,
    now: Now,
) -> dict[str, tuple[ScreenedAnswer, ...]]:
    """What is believed of each answer once the guards have seen the addresses that are new.

    Args:
        config: The configuration.
        hosts: The hosts of the run.
        judged: What is believed of each host's answers so far.
        memories: What is remembered of each host, of the run or not.
        resolve: Asks the DNS.
        now: The instant of the run.
    """
    new = newcomers(hosts, judged, memories, now)
    if not new:
        return judged
    holders = (
        (host, memories.get(name, HostMemory()))
        for name, host in config.hosts.items()
        if not has_ended(host, now.instant)
    )
    agreement = config.resolver.agreement
    beside = siblings(new, _label)
    asked = [*beside.values(), *(disputed(new) if agreement > 1 else ())]
    answers = _heard(asked, agreement, resolve)
    evidence = Evidence(givers(new, judged, holders), agreement, beside, answers)
    return guard(new, judged, evidence, memories, now)


def _heard(
    asked: list[Query], agreement: int, resolve: Resolve
) -> Mapping[Query, Mapping[str, Answer]]:
    if not asked:
        return {}
    if agreement > 1:
        return resolve.survey(asked)
    # One nameserver's word was enough for the address, so it is for the sibling: a nameserver that
    # is down does not hold up a friend who moved.
    return {query: {"": answer} for query, answer in resolve(asked).items()}


def _label() -> str:
    """A first label that no zone has: 64 random bits."""
    return os.urandom(8).hex()
