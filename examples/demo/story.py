"""The story: what happens to an allowlist, step by step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import paper
from people import ALICE, ALICE_MOVED, BOB, PARENTS, STRANGER, SUCCESSOR, TELEVISION
from stage import CONFIGURATION, STATE, require

from testkit.fake_dns.behaviours import SERVFAIL

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge import Edge
    from stage import Stage

CLOCKS: Final = 1.1  # seconds: a little more than the configuration's clocks


def tell(stage: Stage, zones: dict[str, Any], edge: Edge, configure: Callable[..., None]) -> None:
    """Carry out the whole story.

    Args:
        stage: Where it plays.
        zones: What the name server answers; changed as the story goes.
        edge: The second place an allowlist is enforced at.
        configure: Writes the configuration, given its targets.

    Raises:
        NotAsToldError: A step went differently.
    """
    beginning(stage)
    first_run(stage)
    alice_moves(stage, zones)
    the_dns_fails(stage, zones)
    a_lie(stage, zones)
    bob_disappears(stage, zones)
    configure(stage.scene.target, edge.target)
    at_the_edge(stage, zones, edge)
    ending(stage, edge)


def beginning(stage: Stage) -> None:
    """Before anything was done."""
    stage.step("Three friends with dynamic-DNS names, and where their list is enforced.")
    stage.show("cat", CONFIGURATION)

    stage.step("A dry run says what would be done, and does nothing.")
    stage.allowsync(
        "apply",
        "--dry-run",
        says=(
            "+ 192.0.2.44 bob",
            "+ 198.51.100.20 alice",
            "+ 2001:db8:a::/64 alice",
            "+ 2001:db8:c:1200::/56 parents",
            "4 to add",
        ),
    )
    require(not (stage.folder / STATE).exists(), "a state database was written")
    _unguarded(stage)


def first_run(stage: Stage) -> None:
    """The list is put in place."""
    stage.step("Now for real: friends get in, strangers do not.")
    stage.allowsync("apply", says=("0 removed, 4 added",))
    _enforced(stage)
    stage.gets_in(ALICE, BOB, PARENTS, TELEVISION)
    stage.stays_out(STRANGER)

    stage.step("Once more, as cron does every five minutes: nothing to do, nothing said.")
    stage.allowsync("apply", silent=True)


def alice_moves(stage: Stage, zones: dict[str, Any]) -> None:
    """An address is replaced by another."""
    stage.step("Alice gets new addresses: she is let in at once, the old ones stay briefly.")
    zones["alice.example"] = list(ALICE_MOVED.addresses)
    stage.allowsync(
        "apply", says=("+ 203.0.113.7 alice alice.example moved from 198.51.100.20", "2 added")
    )
    stage.gets_in(ALICE_MOVED, ALICE)

    stage.step("A moment later (15 minutes, by default) her old addresses are let in no more.")
    time.sleep(CLOCKS)
    stage.allowsync("apply", says=("- 198.51.100.20 alice", "2 removed, 0 added"))
    _enforced(stage)
    stage.gets_in(ALICE_MOVED)
    stage.stays_out(SUCCESSOR)


def the_dns_fails(stage: Stage, zones: dict[str, Any]) -> None:
    """Nothing is known, so nothing is removed."""
    stage.step("The DNS fails for every host. No host is locked out; exit code 3 says why.")
    before = dict(zones)
    zones.update(dict.fromkeys(zones, SERVFAIL))
    stage.allowsync(
        "apply", code=3, says=("! 192.0.2.44 bob kept: no answer from DNS", "(SERVFAIL)")
    )
    stage.gets_in(ALICE_MOVED, BOB, PARENTS)
    stage.stays_out(STRANGER)

    stage.step("The DNS is back.")
    zones.update(before)
    stage.allowsync("apply", silent=True)


def a_lie(stage: Stage, zones: dict[str, Any]) -> None:
    """An answer that no home gives."""
    stage.step("Bob's name answers 127.0.0.1. That is rejected; his last address stays.")
    zones["bob.example"] = ["127.0.0.1"]
    stage.allowsync("apply", code=3, says=("! 192.0.2.44 bob kept", "127.0.0.1 rejected"))
    stage.gets_in(BOB)


def bob_disappears(stage: Stage, zones: dict[str, Any]) -> None:
    """A name is gone, and with it, in the end, the access."""
    stage.step("Bob's name disappears. It may be a mistake, so he is not locked out at once.")
    del zones["bob.example"]
    stage.allowsync("apply", code=3, says=("! 192.0.2.44 bob kept: gone from DNS", "(NXDOMAIN)"))
    stage.gets_in(BOB)

    stage.step("It stays away (an hour, by default): his access ends, and only his.")
    time.sleep(CLOCKS)
    stage.allowsync("apply", says=("- 192.0.2.44 bob gone from DNS", "1 removed, 0 added"))
    _enforced(stage)
    stage.gets_in(ALICE_MOVED, PARENTS)
    stage.stays_out(BOB, STRANGER)


def at_the_edge(stage: Stage, zones: dict[str, Any], edge: Edge) -> None:
    """A second place, in front of the server."""
    stage.step(
        "The same friends, at the edge: a list at Cloudflare (here, a stand-in) is a second target."
    )
    stage.allowsync("apply", says=(edge.target_name, "+ 203.0.113.7 alice", "0 removed, 3 added"))
    _holds(edge, "2001:db8:b::/64", "2001:db8:c:1200::/56", "203.0.113.7")

    stage.step("Alice moves back home. It reaches the gate and the edge in one run.")
    zones["alice.example"] = list(ALICE.addresses)
    stage.allowsync("apply", says=("+ 198.51.100.20 alice alice.example moved from 203.0.113.7",))
    time.sleep(CLOCKS)
    stage.allowsync("apply", says=("- 203.0.113.7 alice", "2 removed, 0 added"))
    stage.gets_in(ALICE)
    stage.stays_out(ALICE_MOVED)
    _holds(edge, "198.51.100.20", "2001:db8:a::/64", "2001:db8:c:1200::/56")
    stage.allowsync("cloudflare", "show", "jellyfin", says=("198.51.100.20 jellyfin/cloudflare",))


def _holds(edge: Edge, *networks: str) -> None:
    require(edge.held == list(networks), f"the list at the edge holds {edge.held}")
    paper.checked(f"the list at the edge holds {', '.join(networks) or 'nobody'}")


def ending(stage: Stage, edge: Edge) -> None:
    """What there is to see, and how to be rid of it."""
    target = stage.scene.target_name
    stage.step("Who is allowed where, and since when? For people, and for programs.")
    stage.allowsync(
        "status", says=("198.51.100.20 fresh since", f"{target} is in sync (3 entries)")
    )
    _check_status(stage.document("status", "--output", "json"), target, edge.target_name)

    stage.step("Enough: everything that allowsync put there is removed.")
    stage.allowsync("clear", "--yes", says=(f"{target}: cleared", f"{edge.target_name}: cleared"))
    _unguarded(stage)
    _holds(edge)


def _check_status(document: dict[str, Any], *targets: str) -> None:
    """What a program reads must be what people read."""
    grants = {
        one["host"]: [grant["network"] for grant in one["grants"]] for one in document["hosts"]
    }
    expected = {
        "alice": ["198.51.100.20/32", "2001:db8:a::/64"],
        "bob": [],
        "parents": ["2001:db8:c:1200::/56"],
    }
    require(grants == expected, f"hosts[].grants is {grants}")
    held = [(one["target"], one["in_step"], len(one["entries"])) for one in document["targets"]]
    require(held == [(one, True, 3) for one in targets], f"targets is {held}")
    paper.checked("it says the same")


def _unguarded(stage: Stage) -> None:
    """Check that allowsync has nothing in place."""
    come = stage.gets_in if stage.scene.open_unguarded else stage.stays_out
    come(ALICE, STRANGER)


def _enforced(stage: Stage) -> None:
    """Show what is enforced, where that can be shown."""
    if stage.scene.shows:
        stage.show(*stage.scene.shows)
