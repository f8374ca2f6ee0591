"""Allowlists that always have one friend on them, in one way or another."""

from __future__ import annotations

import random
from ipaddress import ip_network
from typing import TYPE_CHECKING

from tests.support.internet import FRIEND, FRIEND6

if TYPE_CHECKING:
    from allowsync.model.types import Network

# The friend is covered by each of these, so no step from one to another may be felt.
COVERS = (f"{FRIEND}/32", "81.2.69.0/24", "81.2.69.128/25", "81.0.0.0/8")
COVERS6 = (f"{FRIEND6}/128", "2a02:8109:9a40:1778::/64", "2a02:8109:9a40::/48", "2a02:8000::/20")


def wanted(dice: random.Random, crowd_number: int = 0) -> list[Network]:
    """An allowlist that covers the friend in some way, with a crowd beside."""
    crowd_dice = random.Random(crowd_number)
    crowd = crowd_dice.sample(range(1000), crowd_dice.randrange(100))
    texts = [
        dice.choice(COVERS),
        dice.choice(COVERS6),
        *(f"90.{number // 250}.{number % 250}.0/24" for number in crowd),
        *(f"2a01:{number:x}::/32" for number in crowd),
    ]
    return [ip_network(text) for text in texts]
