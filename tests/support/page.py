"""What a page can tell of friends: moves, last known addresses, faults, hostile texts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from allowsync.inspect.status import AccessStatus, TargetStatus
from allowsync.state.history import AccessPeriod, Past, PastChange
from allowsync.state.records import TargetTransition
from tests.support.values import HOME, HOME6, SERVFAIL, T0, V4, V6, Life, entry, found, host, net

if TYPE_CHECKING:
    from allowsync.model.outcome import Notice

NOW = T0 + timedelta(minutes=10)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31m</style></title>"
LONG6 = "2a01:4f8:1234:5678:9abc:def0:1234:5678"
DAY = timedelta(days=1)


def decided() -> dict[str, Life]:
    """Alice is well, Bob's name is silent, nobody knows Carol, the office is where it is."""
    alice = Life(host("alice", families=(V4, V6)), NOW - 9 * DAY)
    alice.run(found(HOME), found(HOME6))
    alice.run(found(HOME), found(HOME6), after=NOW - alice.instant)
    bob = Life(host("bob-with-a-label-of-all-forty-characters", ipv6_prefix=128, families=(V6,)))
    bob.run(found(LONG6))
    bob.run(SERVFAIL)
    carol = Life(host("carol"))
    carol.run(SERVFAIL)
    office = Life(host("office", hostnames=(), networks=(net("203.0.113.0/24"),)))
    office.run()
    return {life.host.name: life for life in (alice, bob, carol, office)}


def standing(*, reason: str = "2 to add", notices: tuple[Notice, ...] = ()) -> AccessStatus:
    """One target in sync and one that is not."""
    targets = (
        TargetStatus("jellyfin/nftables", True, (entry(HOME, "alice"), entry(LONG6, "bob"))),
        TargetStatus("ssh/ufw", False, (entry("203.0.113.0/24", "office"),), reason),
    )
    decisions = {name: life.decision for name, life in decided().items()}
    return AccessStatus(NOW, NOW - timedelta(minutes=5), decisions, targets, notices)


def well() -> AccessStatus:
    """Nothing is wrong at all."""
    alice = decided()["alice"].decision
    target = TargetStatus("jellyfin/nftables", True, (entry(HOME, "alice"),))
    return AccessStatus(NOW, NOW - timedelta(minutes=5), {"alice": alice}, (target,), ())


def past(why: str = "moved to 81.2.69.1") -> Past:
    """Alice moved twice, a friend who is gone had access for a minute."""
    name = "alice.example.org"
    stays = (
        AccessPeriod("alice", net("81.2.69.8"), name, NOW - 40 * DAY, NOW - 14 * DAY, why),
        AccessPeriod("alice", net("81.2.69.9"), name, NOW - 14 * DAY, NOW - 7 * DAY, why),
        AccessPeriod("alice", net(HOME), name, NOW - 7 * DAY),
        AccessPeriod("bob-with-a-label-of-all-forty-characters", net(LONG6), name, NOW - 21 * DAY),
        AccessPeriod(
            "dave", net("81.2.69.4"), name, NOW - DAY, NOW - DAY + timedelta(minutes=1), why
        ),
    )
    changes = (
        PastChange(NOW - 7 * DAY, "jellyfin/nftables", "add", entry(HOME, "alice"), why),
        PastChange(NOW - DAY, "jellyfin/nftables", "remove", entry("81.2.69.4", "dave"), why),
    )
    return Past(
        stays, changes, (), (TargetTransition(NOW - DAY, "ssh/ufw", "failed", why),), NOW - 40 * DAY
    )
