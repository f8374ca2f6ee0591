"""When a host last sent a packet, in words and on the page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.inspect.host_use import HostUse, TargetTraffic, host_uses
from allowsync.inspect.status import AccessStatus, TargetStatus
from allowsync.model.target import Traffic
from allowsync.model.types import Entry
from allowsync.report.host_use import use_text
from allowsync.report.html_page import page
from allowsync.report.text import status_lines
from allowsync.state import Store
from allowsync.state.history import Past
from allowsync.state.records import RecordedRun
from tests.support.values import T0, Life, entry, found, host, net

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.state.access_log import Uses

HOME, OTHER = "81.2.69.1", "9.9.9.9"
NOW = T0 + timedelta(hours=3)
NEVER = "never used since 2026-11-20 15:00 UTC"


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (None, "no packet is counted here"),
        (HostUse(uncounted=("web/file",)), "no packet is counted here"),
        (HostUse(T0), NEVER),
        (HostUse(T0, T0), "last packet 3 h ago, at 2026-11-20 15:00 UTC"),
        (HostUse(None, T0), "last packet 3 h ago, at 2026-11-20 15:00 UTC"),
        (HostUse(T0, None, ("bob",)), f"{NEVER}; shares its network with bob"),
        (HostUse(T0, uncounted=("a/file",)), f"{NEVER}; not counted at a/file"),
    ],
)
def test_what_is_not_known_is_not_called_never(use: HostUse | None, text: str) -> None:
    assert use_text(use, NOW) == text


def test_the_page_and_the_text_say_it_of_each_host() -> None:
    lives = {name: Life(host(name)) for name in ("alice", "bob", "carol")}
    for life in lives.values():
        life.run(found(HOME))
    standing = AccessStatus(
        NOW,
        T0,
        {name: life.decision for name, life in lives.items()},
        (TargetStatus("web/x", True, (entry(HOME, "alice"),)),),
        (),
        uses={"alice": HostUse(T0, T0), "bob": HostUse(T0)},
    )
    lines = [line.text for line in status_lines(standing, seen=True)]
    for said in (NEVER, "last packet 3 h ago, at 2026-11-20 15:00 UTC", use_text(None, NOW)):
        assert lines.count(f"    {said}") == 1
    html = page(standing, Past())
    assert html.count("last packet <time") == 1
    assert html.count("never used since <time") == 1


def test_a_host_is_as_new_as_the_target_that_counts_it_for_the_shortest_time() -> None:
    store = _Remembering()
    entries = (entry(HOME, "alice", "bob"), Entry(net(OTHER), ("carol",)))
    hosts = ("alice", "bob", "carol", "dave")
    counts = Traffic(counts={net(HOME): 7, net(OTHER): 7})
    uses = host_uses(
        [
            TargetTraffic("a", hosts, entries, counts),
            TargetTraffic("b", ("carol", "dave"), entries, Traffic()),
            TargetTraffic("c", ("dave",), entries, None),
        ],
        store,
        NOW,
    )
    assert uses == {
        "alice": HostUse(T0, NOW, ("bob",)),
        "bob": HostUse(None, NOW, ("alice",)),
        "carol": HostUse(T0 + timedelta(hours=1), T0),
        "dave": HostUse(None, T0, (), ("c",)),
    }


@pytest.mark.parametrize(("ago", "since"), [(3600, T0 + timedelta(hours=1)), (7200, NOW)])
def test_what_is_forgotten_without_a_run_was_not_never(ago: int, since: datetime) -> None:
    store = _Remembering(NOW - timedelta(seconds=ago))
    entries, short = (Entry(net(OTHER), ("carol",)),), Traffic(remembers=3600)
    uses = host_uses([TargetTraffic("b", ("carol",), entries, short)], store, NOW)
    assert uses["carol"].since == since


@pytest.mark.parametrize("now", [Traffic(anew=True), Traffic(counts={net(HOME): 5})])
def test_what_a_flush_made_forget_was_not_never(now: Traffic) -> None:
    entries = (entry(HOME, "alice"), Entry(net(OTHER), ("carol",)))
    uses = host_uses([TargetTraffic("a", ("carol",), entries, now)], _Remembering(), NOW)
    assert uses == {"carol": HostUse(NOW)}


class _Remembering(Store):
    def __init__(self, last: datetime | None = None) -> None:
        self.last = last

    def last_run(self) -> RecordedRun | None:
        """The run that what was written down is from."""
        return None if self.last is None else RecordedRun(self.last)

    def uses(self, target: str) -> Uses:
        """What was written down."""
        later = T0 + timedelta(hours=1)
        known: dict[str, Uses] = {
            "a": ({"alice": (T0, None), "carol": (T0, None)}, {net(HOME): 6, net(OTHER): 7}),
            "b": ({"carol": (later, T0)}, {}),
            "c": ({"dave": (T0, T0)}, {}),
        }
        return known[target]
