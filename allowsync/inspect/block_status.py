"""Status of the targets of denylists."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.denylist_content import listed, lists_said
from allowsync.engine.denylists import drafted
from allowsync.engine.never_blocked import never_blocked
from allowsync.engine.unheard_hosts import unheard_hosts
from allowsync.model.outcome import Outcome
from allowsync.model.value import Value
from allowsync.state.lock import installations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from allowsync.config.settings import Config, Target
    from allowsync.model.types import Entry, Network
    from allowsync.plan.result import TargetReport
    from allowsync.policy.clock import Now
    from allowsync.policy.decision import Decision
    from allowsync.policy.denylist import NeverBlocked
    from allowsync.state import Store


class BlockStatus(Value):
    """The status of one target of a denylist.

    Attributes:
        target: Its full name.
        denylist: The denylist enforced there.
        in_step: Whether it blocks exactly the desired networks.
        held: The networks it blocks.
        reason: The problem, as text; empty when there is none.
        readable: Whether it could be read.
        spared: Listed networks that are never blocked.
        seconds: The time taken to read it.
    """

    target: str
    denylist: str
    in_step: bool
    held: tuple[Network, ...] = ()
    reason: str = ""
    readable: bool = True
    spared: tuple[NeverBlocked, ...] = ()
    seconds: float = 0.0

    @property
    def state(self) -> str:
        """Its state in one to three words, as for any target."""
        if not self.readable:
            return "failed"
        return "in sync" if self.in_step else "out of sync"


def block_statuses(
    config: Config,
    decisions: Mapping[str, Decision],
    store: Store,
    held: Iterable[tuple[str, Iterable[Entry]]],
    now: Now,
) -> Iterator[BlockStatus]:
    """The status of each target of a denylist. Raises nothing.

    Args:
        config: The configuration.
        decisions: The decision for each host.
        store: The state.
        held: The entries of the targets of allowlists.
        now: The instant.
    """
    if not config.denylists:
        return
    try:
        never = never_blocked(config, decisions, store, held)
    except BackendError as error:
        for one in config.denylists.values():
            yield from (_unknown(target, str(error)) for target in one.targets)
        return
    said = lists_said(config, config.denylists.values(), now.instant)
    unknown = unheard_hosts(config.state, decisions, now)
    for one in config.denylists.values():
        given = listed(config, one, never, decisions, said, now.instant, unknown=unknown)
        for target in one.targets:
            began = time.monotonic()
            draft, spared = drafted(target, given, partial(installations, config.state))
            yield _status(draft.report, spared, time.monotonic() - began)


def _unknown(target: Target, why: str) -> BlockStatus:
    return BlockStatus(target.name, target.allowlist, in_step=False, reason=why, readable=False)


def _status(report: TargetReport, spared: tuple[NeverBlocked, ...], seconds: float) -> BlockStatus:
    entries = () if report.current is None else report.current.entries
    return BlockStatus(
        report.target,
        report.allowlist,
        report.outcome is Outcome.UNCHANGED,
        tuple(entry.network for entry in entries),
        _reason(report),
        report.plan is not None,
        spared,
        seconds,
    )


def _reason(report: TargetReport) -> str:
    plan = report.plan
    parts = [report.said]
    if plan is not None and not plan.idle:
        parts += plan.repair
        parts += [f"{len(plan.add)} to block"] if plan.add else []
        parts += [f"{len(plan.remove)} to open"] if plan.remove else []
    return "; ".join(part for part in parts if part)
