"""Acceptance of a list's new content in place of the one in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.config.networks import FixedNetwork
from allowsync.config.schema.kind import UnfitError
from allowsync.model.networks import network
from allowsync.model.value import replace
from allowsync.policy.lists import REJECTED, refusal
from allowsync.state.lists import identity
from allowsync.text import abridge, printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from allowsync.model.list_source import ListSource
    from allowsync.policy.list_formats import Entry, ListContent
    from allowsync.state.lists import KeptList


def accepted(
    content: ListContent,
    source: ListSource,
    before: KeptList,
    now: datetime,
    *,
    grants: bool,
    force: bool,
) -> KeptList:
    """The state of a list after a new content: in force, or rejected with the reason.

    Args:
        content: The new content.
        source: The list's configuration.
        before: The state before.
        now: The instant.
        grants: Whether hosts have its networks.
        force: Whether far fewer or far more networks than before are accepted.
    """
    same = before.is_known and before.source == identity(source)
    why = refusal(content, source, before.count if same else 0, force=force)
    unfit = "" if why else _unfit(content.entries)
    if not why and grants:
        why = unfit
    if why:
        return refused(before, f"{REJECTED}{why}", now, source)
    fitting = replace(before, unfit=unfit, trouble="", failures=0, tried=now, fetched=now)
    whose = identity(source)
    return replace(fitting, asked=whose, source=whose).with_entries(content.entries)


def refused(before: KeptList, why: str, now: datetime, source: ListSource) -> KeptList:
    """The state of a list after a failure: unchanged, with the reason."""
    trouble = abridge(printable(why), 250)
    again = before.failures + 1 if before.asked == identity(source) else 1
    return replace(before, trouble=trouble, failures=again, tried=now, asked=identity(source))


def _unfit(entries: Iterable[Entry]) -> str:
    """The reason why no host may have these networks, as for configured ones; else empty."""
    kind = FixedNetwork()
    for one in entries:
        try:
            kind.judge(network(*one))
        except UnfitError as error:
            return str(error)
    return ""
