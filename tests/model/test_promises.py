"""Whatever happens, in whatever order: the promises hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.anything_happens import AnythingHappens
from tests.model.configuration_changes import ConfigurationChanges
from tests.model.machine_fails import MachineFails
from tests.model.names_change import NamesChange
from tests.support.sampling import WHOLE, share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from tests.model.life import Life

# What `make test` tries is the same each time; the whole looks elsewhere each time, for an hour.
EXAMPLES = share(1_000, 5)
LONGEST = 3600 if WHOLE else 300


# Each with the number of its steps: what two parts make of each other takes more of them.
MACHINES: dict[type[Life], int] = {
    NamesChange: 16,
    ConfigurationChanges: 16,
    MachineFails: 16,
    AnythingHappens: 25,
}


@pytest.mark.slow
@pytest.mark.timeout(LONGEST)
@pytest.mark.parametrize("machine", list(MACHINES))
def test_the_promises_hold_in_any_order_of_events(machine: type[Life]) -> None:
    examples = settings(
        max_examples=EXAMPLES,
        stateful_step_count=MACHINES[machine],
        derandomize=not WHOLE,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=examples)
    record(
        "promises", where=f"any order of events: {machine.__name__}", examples=EXAMPLES, broken=0
    )
