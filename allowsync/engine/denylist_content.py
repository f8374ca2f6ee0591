"""What denylists have to say in a run: their lists, less what is never blocked.

It is kept beside the state with a digest of all that it is made of. As long as that is the same, no
list is read; and where it is refused, what was accepted last is there to be put up again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.config.secure_file import digest_of
from allowsync.engine.never_blocked import spared_by
from allowsync.model.value import Value
from allowsync.plan.limits import LimitRefusal
from allowsync.policy.denylist import (
    LARGEST_SHARE,
    NOTHING,
    SPECIAL_PURPOSE,
    Blocked,
    blocked,
    spans_of,
    united,
)
from allowsync.state.blocks import KeptBlocks, read_blocks, write_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from allowsync.config.settings import Config, Denylist
    from allowsync.policy.decision import Decision
    from allowsync.policy.denylist import NeverBlocked, Spans
    from allowsync.state.lists import KeptList

FORM: Final = 2  # of what is made of the same lists; another one is made anew


class BlockRefusal(LimitRefusal):
    """Why a denylist blocks nothing that it does not block already."""

    why: str

    @property
    def said(self) -> str:
        """What is refused, why, and what stays."""
        return f"refused: {self.why}; what was blocked before stays"


def refused(why: str) -> BlockRefusal:
    """A refusal for a reason."""
    return BlockRefusal((), 0, 0, emptied=False, entries=(), why=why)


class ListSaid(Value):
    """What a list says to denylists.

    Attributes:
        kept: What is known of it.
        keep: How long it counts when nothing newer can be had.
        over: Whether it is too old to count: an old block list harms the innocent.
    """

    kept: KeptList
    keep: timedelta
    over: bool = False

    @property
    def digest(self) -> str:
        """What tells what it says from anything else."""
        return "over" if self.over else self.kept.digest

    def spans(self) -> Spans | None:
        """Its networks; None where they are not known."""
        return NOTHING if self.over else self.kept.spans()


class Listed(Value):
    """What a denylist has to say, and what is never blocked by it.

    Attributes:
        meant: What is blocked of its lists, as far as they are known.
        never: What is never blocked.
        lacking: Its lists of which nothing is known.
        over: Its lists that are too old to count.
        refusal: Why nothing may be added; None where it may.
        adds: Whether anything is added at all; not so offline.
        unknown: Why nothing is added to what is blocked already: hosts that may be anywhere.
        accepted: What it came to last that was accepted; None where that is not known.
    """

    meant: Blocked
    never: tuple[NeverBlocked, ...]
    lacking: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    refusal: BlockRefusal | None = None
    adds: bool = True
    unknown: tuple[str, ...] = ()
    accepted: Blocked | None = None


def lists_said(
    config: Config, denylists: Iterable[Denylist], now: datetime, *, force: bool = False
) -> dict[str, ListSaid]:
    """What each list says that denylists name. Raises nothing."""
    names = dict.fromkeys(name for one in denylists for name in one.lists)
    if not names:
        return {}
    from allowsync.engine.lists.in_force import looked_at
    from allowsync.policy.lists import is_over

    found = looked_at(config, now, force=force, names=names)
    sources = {name: config.lists[name] for name in found}
    return {
        name: ListSaid(
            kept, sources[name].keep, kept.is_known and is_over(sources[name], kept.as_of, now)
        )
        for name, kept in found.items()
    }


def listed(
    config: Config,
    denylist: Denylist,
    never: tuple[NeverBlocked, ...],
    decisions: Mapping[str, Decision],
    said: Mapping[str, ListSaid],
    now: datetime,
    *,
    unknown: tuple[str, ...] = (),
    keep: bool = False,
) -> Listed:
    """What a denylist has to say now. Raises nothing.

    Args:
        config: The configuration.
        denylist: The denylist.
        never: What is never blocked by any.
        decisions: What was decided about hosts.
        said: What its lists say.
        now: The instant.
        unknown: Why nothing is added: hosts that may be anywhere.
        keep: Whether what it comes to is kept for runs to come.
    """
    known = {one.network for one in never}
    own = (one for one in spared_by(denylist, decisions) if one.network not in known)
    every = (*never, *dict.fromkeys(own))
    kept = read_blocks(config.state, denylist.name)
    mine = {name: _aged(said[name], kept.as_of.get(name), now) for name in denylist.lists}
    inputs = _digest(denylist, every, mine)
    found = kept.blocked() if kept.inputs == inputs else None
    lacking: tuple[str, ...] = ()
    if found is None:
        kept = kept if kept.inputs != inputs else KeptBlocks(as_of=kept.as_of)  # it is damaged
        spans = {name: one.spans() if _is_known(one) else None for name, one in mine.items()}
        lacking = tuple(name for name, one in spans.items() if one is None)
        if keep:
            _forget_damaged(config, mine, lacking)
        parts = (one for one in spans.values() if one is not None)
        found = blocked(united([spans_of(denylist.networks), *parts]), every)
    over = tuple(name for name, one in mine.items() if one.over)
    fine = not (lacking or found.refusal or unknown)
    accepted = found if fine else kept.blocked()
    if keep:
        _keep(config, denylist, kept, inputs if fine else kept.inputs, accepted, mine, now)
    return Listed(found, every, lacking, over, unknown=unknown, accepted=accepted)


def _forget_damaged(config: Config, mine: Mapping[str, ListSaid], lacking: Iterable[str]) -> None:
    """Let lists that are known and cannot be read be read anew, or fetched."""
    for name in lacking:
        if _is_known(mine[name]):
            from allowsync.state.lists import forget_list

            forget_list(config.state, name)


def _is_known(one: ListSaid) -> bool:
    return one.over or one.kept.is_known


def _aged(one: ListSaid, since: datetime | None, now: datetime) -> ListSaid:
    """A list of which nothing is known counts as it was last, and no longer than any other."""
    if _is_known(one) or since is None or now - since <= one.keep:
        return one
    return ListSaid(one.kept, one.keep, over=True)


def _digest(
    denylist: Denylist, never: tuple[NeverBlocked, ...], mine: Mapping[str, ListSaid]
) -> str:
    """What tells all that a denylist comes to from anything else."""
    spared = [(str(one.network), one.why) for one in (*SPECIAL_PURPOSE, *never)]
    lists = [(name, one.digest if _is_known(one) else "") for name, one in mine.items()]
    said = (FORM, LARGEST_SHARE, lists, list(map(str, denylist.networks)), spared)
    return digest_of(repr(said).encode())


def _keep(
    config: Config,
    denylist: Denylist,
    kept: KeptBlocks,
    inputs: str,
    accepted: Blocked | None,
    mine: Mapping[str, ListSaid],
    now: datetime,
) -> None:
    """Keep what it comes to, and as of when its lists are; unless that is kept already."""
    as_of = {
        name: (one.kept.as_of if one.kept.is_known else None) or kept.as_of.get(name, now)
        for name, one in mine.items()
    }
    if (inputs, as_of) != (kept.inputs, kept.as_of):
        write_blocks(config.state, denylist.name, inputs, as_of, accepted)
