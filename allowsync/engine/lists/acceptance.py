"""Whether what a list says takes the place of what is in force."""

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
    """What is known of a list once it said something: in force, or why not.

    Args:
        content: What it said.
        source: What the configuration demands of it.
        before: What was known.
        now: The instant.
        grants: Whether hosts have its networks.
        force: Whether it may have far fewer or far more of them than before.
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
    """What is known of a list that gave nothing to be believed: all it was, and why."""
    trouble = abridge(printable(why), 250)
    again = before.failures + 1 if before.asked == identity(source) else 1
    return replace(before, trouble=trouble, failures=again, tried=now, asked=identity(source))


def _unfit(entries: Iterable[Entry]) -> str:
    """Why no host may have these networks: what a configuration could not name; else empty."""
    kind = FixedNetwork()
    for one in entries:
        try:
            kind.judge(network(*one))
        except UnfitError as error:
            return str(error)
    return ""
