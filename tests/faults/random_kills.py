"""Runs killed at calls drawn at random, judged by whom a firewall lets in afterwards."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from tests.support.sampling import WHOLE, share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.stage import Stage

KILLS: Final = share(300, 3)
EVERYONE: Final = "everyone"


def kill_at_random(stage: Stage, kind: str, let_in: Callable[[], set[str]]) -> None:
    """Kill one run again and again; a run after each one has to come to the same end.

    Args:
        stage: Where it runs, as it is to be kept.
        kind: The firewall.
        let_in: Whom the firewall lets in; `EVERYONE` where it is open.
    """
    # A sample draws the same each time, the whole others each time.
    seed = random.SystemRandom().randrange(1 << 32) if WHOLE else 1
    draw, argv, kills = random.Random(seed), stage.argv(), 0
    stage.keep()
    before = let_in()
    ran = stage.warm.listed(*argv)
    after = let_in()
    assert (ran.code, EVERYONE in before | after, before != after) == (0, False, True), ran
    while kills < KILLS:
        place = draw.choice(ran.calls)
        whom = draw.choice(("all", "program", "child") if place.process else ("all",))
        stage.put_back()
        kills += bool(stage.warm.killed(place, whom, *argv).hit)
        try:
            now = let_in()
            assert before & after <= now, "somebody was locked out"
            assert now <= before | after, "strangers were let in"
            healed = stage.warm.run(*argv)
            assert (healed.code, let_in()) == (0, after), healed
        except AssertionError as error:
            error.add_note(f"killed {whom} at {place}, seed {seed}")
            raise
    record(f"random_kills_of_{kind}", kills=kills, lockouts=0, strangers=0)
