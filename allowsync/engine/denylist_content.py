"""Content of denylists in a run: their lists, without the never-blocked networks.

It is kept beside the state with a digest of all its inputs. As long as that is unchanged, no list
is read; and where it is refused, the last accepted content can be restored.
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

FORM: Final = 2  # of the derived content; a kept one of another form is derived anew


class BlockRefusal(LimitRefusal):
    """The reason why a denylist adds no networks."""

    why: str

    @property
    def said(self) -> str:
        """The refusal, its reason, and its effect."""
        return f"refused: {self.why}; the networks blocked before stay"


def refused(why: str) -> BlockRefusal:
    """A refusal for the given reason."""
    return BlockRefusal((), 0, 0, emptied=False, entries=(), why=why)


class ListSaid(Value):
    """The content of a list, as denylists use it.

    Attributes:
        kept: The kept state of the list.
        keep: Its life without a newer content.
        over: Whether it is too old to count: an outdated block list harms the innocent.
    """

    kept: KeptList
    keep: timedelta
    over: bool = False

    @property
    def digest(self) -> str:
        """The digest of its effective content."""
        return "over" if self.over else self.kept.digest

    def spans(self) -> Spans | None:
        """Its networks; None where they are unknown."""
        return NOTHING if self.over else self.kept.spans()


class Listed(Value):
    """The content of a denylist, and its never-blocked networks.

    Attributes:
        meant: The effective content, as far as its lists are known.
        never: The never-blocked networks.
        lacking: Its unknown lists.
        over: Its lists that are too old to count.
        refusal: The reason why nothing may be added; None where it may.
        adds: Whether anything is added at all; not so offline.
        unknown: The reasons why nothing is added to the blocked networks: hosts of unknown address.
        accepted: The last accepted content; None where unknown.
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
    """The content of each list that denylists name. Raises nothing."""
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
    """The content of a denylist now. Raises nothing.

    Args:
        config: The configuration.
        denylist: The denylist.
        never: The networks that no denylist blocks.
        decisions: The decisions about hosts.
        said: The contents of its lists.
        now: The instant.
        unknown: The reasons why nothing is added: hosts of unknown address.
        keep: Whether the result is kept for later runs.
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
    """Delete known lists that cannot be read, so that they are read or fetched anew."""
    for name in lacking:
        if _is_known(mine[name]):
            from allowsync.state.lists import forget_list

            forget_list(config.state, name)


def _is_known(one: ListSaid) -> bool:
    return one.over or one.kept.is_known


def _aged(one: ListSaid, since: datetime | None, now: datetime) -> ListSaid:
    """A list; an unknown one counts as it was last, and no longer than any other."""
    if _is_known(one) or since is None or now - since <= one.keep:
        return one
    return ListSaid(one.kept, one.keep, over=True)


def _digest(
    denylist: Denylist, never: tuple[NeverBlocked, ...], mine: Mapping[str, ListSaid]
) -> str:
    """The digest of all inputs of a denylist's content."""
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
    """Keep the content, and the dates of its lists, unless they are kept already."""
    as_of = {
        name: (one.kept.as_of if one.kept.is_known else None) or kept.as_of.get(name, now)
        for name, one in mine.items()
    }
    if (inputs, as_of) != (kept.inputs, kept.as_of):
        write_blocks(config.state, denylist.name, inputs, as_of, accepted)
