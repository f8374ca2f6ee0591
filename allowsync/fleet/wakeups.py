"""Wakeups of a machine that follows: a watch of etcd, or a periodic look at the store."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from allowsync.config.secure_file import digest_of
from allowsync.fleet.store import Fetched, StoreError, Unreadable
from allowsync.fleet.stores import reading_store
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from allowsync.config.fleet import Fleet
    from allowsync.fleet.store import DecisionStore, Seen

LONGEST_PAUSE: Final = 60.0  # seconds, after many failures in a row
_MOST_DOUBLINGS: Final = 6


class Wakeup(Value):
    """A wakeup of a waiting machine.

    Attributes:
        lists: The lists that may have changed, sorted; none where there is trouble.
        trouble: The reason why changes cannot be observed for now; the wait goes on.
    """

    lists: tuple[str, ...] = ()
    trouble: str = ""


def wakeups(fleet: Fleet, names: Sequence[str], every: float) -> Iterator[Wakeup]:
    """Wait for changes of lists, for ever. Raises nothing.

    The first wakeup comes at once: what changed before is unknown.

    Args:
        fleet: The fleet, with its store.
        names: The lists that count.
        every: The seconds between two looks at a store that cannot be watched.
    """
    waits = _watched(fleet, names) if fleet.store.etcd is not None else _polled(fleet, names, every)
    failures = 0
    for one in waits:
        yield one
        failures = failures + 1 if one.trouble else 0
        if failures:
            time.sleep(pause(failures))


def pause(failures: int) -> float:
    """Seconds until the next attempt: doubled each time, and random to differ between machines."""
    longest = min(LONGEST_PAUSE, 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - it spreads load, and guards nothing


def _watched(fleet: Fleet, names: Sequence[str]) -> Iterator[Wakeup]:
    from allowsync.fleet.etcd_watch import EtcdWatch

    assert fleet.store.etcd is not None  # noqa: S101 - the caller looked
    watch = EtcdWatch(fleet.store.etcd, fleet.name, names)
    while True:
        try:
            for changed in watch.session():
                told = changed.intersection(names) if changed else names
                if told:
                    yield Wakeup(tuple(sorted(told)))
        except StoreError as error:
            yield Wakeup(trouble=str(error))


def _polled(fleet: Fleet, names: Sequence[str], every: float) -> Iterator[Wakeup]:
    """Poll by content, for a web server may give no marks."""
    store, marks, known = reading_store(fleet), dict.fromkeys(names, ""), dict[str, str]()
    told: Sequence[str] = names
    while True:
        try:
            seen = _seen(store, marks)
        except StoreError as error:
            yield Wakeup(trouble=str(error))
            continue
        found = {name: one for name, one in seen.items() if isinstance(one, Fetched)}
        marks |= {name: one.mark for name, one in found.items()}
        content = {name: digest_of(one.envelope) for name, one in found.items()}
        told = told or [name for name, one in content.items() if one != known.get(name)]
        known |= content
        if told:
            yield Wakeup(tuple(sorted(told)))
        told = ()
        time.sleep(every)


def _seen(store: DecisionStore, marks: Mapping[str, str]) -> Mapping[str, Seen]:
    """The contents of a store. Raises StoreError where nothing can be read."""
    seen = store.look(marks)
    unreadable = [one.why for one in seen.values() if isinstance(one, Unreadable)]
    if unreadable and len(unreadable) == len(seen):
        raise StoreError(unreadable[0])
    return seen
