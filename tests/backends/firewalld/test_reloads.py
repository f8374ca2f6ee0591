"""Another program lets firewalld reload in the middle of a run, before any of its changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.common.firewalld_bus import RUNTIME, Bus, method

from tests.support.firewalld import Firewalld, backend, empty_sets
from tests.support.gates import allow, planned
from tests.support.internet import FRIEND, FRIEND6, FRIEND_TOO, FRIEND_TOO6
from tests.support.values import net

if TYPE_CHECKING:
    from allowsync_backends.common.firewalld_bus import Call

pytestmark = [pytest.mark.root, pytest.mark.slow]

RELOAD = method(RUNTIME, "", "reload")
OLD, NEW = {FRIEND, FRIEND6, FRIEND_TOO}, {FRIEND, FRIEND6, FRIEND_TOO6}


class Reloads:
    """Lets firewalld reload before one change of a run.

    Attributes:
        changes: How many changes the run made.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
        self.changes, self._before, self._answer = 0, before, Bus._answer
        monkeypatch.setattr(Bus, "_answer", lambda bus, call: self.answer(bus, call))

    def answer(self, bus: Bus, call: Call) -> Any:
        if not call.method.lower().startswith("get"):
            self.changes += 1
            if self.changes == self._before:
                with Bus() as other:
                    self._answer(other, RELOAD)
        return self._answer(bus, call)


def held(firewalld: Firewalld) -> set[str]:
    current = firewalld.inside.run(backend().read)
    return {str(one.network.network_address) for one in current.entries}


def test_a_friend_stays_in_and_the_next_run_mends_the_rest(
    firewalld: Firewalld, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, changes = 0, 1
    while before < changes:
        before += 1
        firewalld.forget(**empty_sets("x"))
        allow(firewalld.inside, backend(), *OLD)
        plan = planned(firewalld.inside.run(backend().read), map(net, NEW))
        with monkeypatch.context() as patch:
            reloads = Reloads(patch, before)
            firewalld.inside.run(backend().apply, plan)
            changes = reloads.changes
        assert OLD & NEW <= held(firewalld) <= OLD | NEW
        allow(firewalld.inside, backend(), *NEW)
        assert held(firewalld) == NEW
        firewalld.reload()
        assert held(firewalld) == NEW
    assert changes >= 4, "two sets, in force and on the disk"
