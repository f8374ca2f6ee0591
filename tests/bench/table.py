"""Every scenario there is, in the order they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bench import copies, encrypted, idle, ipsets, packets, resolving, sets, ufw, whole

if TYPE_CHECKING:
    from tests.bench.scenario import Scenario

ALL: Final[tuple[Scenario, ...]] = (
    *idle.SCENARIOS,
    *resolving.SCENARIOS,
    *encrypted.SCENARIOS,
    *sets.SCENARIOS,
    *ipsets.SCENARIOS,
    *ufw.SCENARIOS,
    *packets.SCENARIOS,
    *copies.SCENARIOS,
    *whole.SCENARIOS,
)
