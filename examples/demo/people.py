"""Who comes to the door, what the DNS says of them, and the configuration that names them.

All addresses are from the blocks reserved for documentation (RFC 5737, RFC 3849).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ALLOWLIST: Final = "jellyfin"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at one place, as the addresses they come from."""

    name: str
    addresses: tuple[str, ...]


ALICE: Final = Visitor("alice", ("198.51.100.20", "2001:db8:a::20"))
ALICE_MOVED: Final = Visitor("alice", ("203.0.113.7", "2001:db8:b::20"))
BOB: Final = Visitor("bob", ("192.0.2.44",))
PARENTS: Final = Visitor("parents' laptop", ("2001:db8:c:1200::5",))
# Another device in the same home: their provider gives them a whole /56.
TELEVISION: Final = Visitor("parents' television", ("2001:db8:c:12ff::9",))
# The old address of a friend who moved is given to a stranger.
SUCCESSOR: Final = Visitor("the next tenant", ALICE.addresses)
STRANGER: Final = Visitor("a stranger", ("203.0.113.66", "2001:db8:bad::66"))

EVERYBODY: Final = (ALICE, ALICE_MOVED, BOB, PARENTS, TELEVISION, STRANGER)


def zones() -> dict[str, Any]:
    """What the name server answers at first."""
    return {
        "alice.example": list(ALICE.addresses),
        "bob.example": list(BOB.addresses),
        "parents.example": list(PARENTS.addresses),
    }


def configuration(targets: Sequence[str], nameserver: str, state: Path) -> str:
    """The configuration of the demo.

    Args:
        targets: Each target, as YAML in one line.
        nameserver: Where the demo's name server listens.
        state: Where the state database is to be.
    """
    places = "\n".join(f"      - {one}" for one in targets)
    return f"""\
hosts:
  alice: alice.example
  bob: {{hostname: bob.example, families: [ipv4]}}
  parents: {{hostname: parents.example, families: [ipv6], ipv6_prefix: 56}}

allowlists:
  {ALLOWLIST}:
    targets:
{places}

resolver:
  nameservers: ["{nameserver}"]
policy:
  keep_replaced: 1s      # default 15m; this demo is in a hurry
  replaced_runs: 2
  keep_absent: 1s        # default 1h
  absent_runs: 2
  # Made-up addresses, which allowsync would never let in otherwise:
  accept: [192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, "2001:db8::/32"]
state: {state}
"""
