"""Shows a fleet: three machines that can decide, etcd, and five gates that follow.

All in network namespaces of its own, with real connections; as root. Ends with 1 if anything goes
differently from what is told.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import paper
import pytest
from stage import NotAsToldError, require

from tests.support.fleet_network import SILENT_FOR, FleetNetwork

if TYPE_CHECKING:
    from tests.support.fleets import Machine

HOME, HOTEL, FLAT, STRANGER = "198.51.100.20", "203.0.113.7", "203.0.113.8", "203.0.113.66"
OFFICE: Final = "192.0.2.10"
GATES: Final = 5
# Made-up addresses, which allowsync would never let in otherwise.
POLICY: Final[dict[str, Any]] = {
    "keep_replaced": "0s",  # default 15m; this demo is in a hurry
    "replaced_runs": 1,
    "accept": ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"],
}


def main() -> int:
    """Tell the story; the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if os.geteuid() != 0:
        paper.failed("This demo makes network namespaces and gates of its own: run it as root.")
        return 1
    began = time.monotonic()
    with TemporaryDirectory(prefix="allowsync-demo-") as folder:  # mode 0700
        os.environ["RUNTIME_DIRECTORY"] = folder
        try:
            steps = _played(Path(folder))
        except KeyboardInterrupt:
            paper.failed("interrupted")
            return 130
        except pytest.skip.Exception as lacking:
            paper.failed(f"This demo {lacking}")
            return 1
        except NotAsToldError as error:
            paper.failed(f"FAILED: {error}")
            return 1
    seconds = time.monotonic() - began
    paper.remark("")
    paper.remark(f"All {steps} steps went as told, in {seconds:.0f} s. Nothing is left behind.")
    return 0


def _played(folder: Path) -> int:
    zones: dict[str, Any] = {"alice.example": [HOME]}
    hosts = {
        "alice": {"hostname": "alice.example", "families": ["ipv4"]},
        "office": {"networks": ["192.0.2.0/28"]},
    }
    people = (HOME, HOTEL, FLAT, STRANGER, OFFICE)
    paper.remark(
        "Three machines that can decide, three members of etcd with TLS and roles, and"
        f" {GATES} machines with a service behind a real nftables gate."
    )
    with FleetNetwork(folder, zones, people, hosts, GATES, policy=POLICY) as network:
        story = Story(network)
        story.tell(zones)
        return story.number


class Story:
    """What happens, and what is found to be so.

    Args:
        network: Where it happens.
    """

    def __init__(self, network: FleetNetwork) -> None:
        self.number = 0
        self._network = network
        self._first, self._second, self._third = network.resolvers

    def tell(self, zones: dict[str, Any]) -> None:
        """Tell it. Raises NotAsToldError."""
        self._step("One machine takes the lead, asks the DNS and publishes what it decided.")
        self._run(self._first)
        self._leads(self._first)

        self._step("The others hold the same, and ask no DNS.")
        asked = len(self._network.server.asked)
        self._others_run(self._first)
        require(len(self._network.server.asked) == asked, "another machine asked the DNS")
        paper.checked("no machine but the leader asked the DNS")
        self._gets_in("alice", HOME)
        self._gets_in("the office", OFFICE)
        self._stays_out("a stranger", STRANGER)

        self._step("Alice moves. The leader learns of it, and all gates with it.")
        zones["alice.example"] = [HOTEL]
        self._run(self._first)
        self._others_run(self._first)
        self._gets_in("alice", HOTEL)
        self._stays_out("the next tenant of her home", HOME)

        self._step("A member of etcd is killed. Two are enough.")
        self._network.etcd.kill(self._network.etcd.leading)
        self._network.etcd.wait_for_leader()
        self._run(self._first)
        self._others_run(self._first)
        self._leads(self._first)

        self._step("The leader dies, and is not heard of until its lease ends. Alice moves again.")
        self._network.cut(self._first.name, off=True)
        self._network.end_lease()
        zones["alice.example"] = [FLAT]
        self._run(self._second)
        self._leads(self._second)
        self._followers_run()
        self._gets_in("alice", FLAT)
        self._stays_out("the next guest of her hotel", HOTEL)

        self._step("The old leader comes back. It follows now, and holds what was decided since.")
        self._network.cut(self._first.name, off=False)
        self._run(self._first)
        self._leads(self._second)

        self._step("All of etcd is lost. What is not known removes nothing, and adds nothing.")
        for member in self._network.etcd.members:
            self._network.etcd.kill(member)
        zones["alice.example"] = [STRANGER]
        self._followers_run(code=3)
        self._gets_in("alice", FLAT)
        self._gets_in("the office", OFFICE)
        self._stays_out("a stranger", STRANGER)

    def _step(self, text: str) -> None:
        self.number += 1
        paper.heading(self.number, text)

    def _run(self, machine: Machine, code: int = 0) -> None:
        paper.typed(f"[{machine.name}] allowsync apply")
        done = self._network.run(machine, "apply")
        said = done.out + done.err
        paper.output(said or "(prints nothing)")
        require(done.code == code, f"{machine.name}: exit code {done.code}\n{said}")

    def _others_run(self, leader: Machine) -> None:
        for one in self._network.resolvers:
            if one is not leader:
                self._run(one)
        self._followers_run()

    def _followers_run(self, code: int = 0) -> None:
        """The first of them in full, the others alike."""
        self._run(self._network.appliers[0], code)
        for one in self._network.appliers[1:]:
            done = self._network.run(one, "apply")
            require(done.code == code, f"{one.name}: exit code {done.code}\n{done.out}{done.err}")
        paper.checked(f"so do the {GATES - 1} other gates, each with exit code {code}")

    def _leads(self, machine: Machine) -> None:
        found = self._network.leader()
        require(found == machine.name, f"{found or 'no machine'} leads, not {machine.name}")
        paper.checked(f"{machine.name} leads")

    def _gets_in(self, who: str, address: str) -> None:
        found = len(self._network.admitted(address))
        require(found == GATES, f"{who} gets in at {found} gates only")
        paper.checked(f"{who} gets in from {address} at all {GATES} gates")

    def _stays_out(self, who: str, address: str) -> None:
        found = len(self._network.admitted(address, SILENT_FOR))
        require(found == 0, f"{who} gets in at {found} gates")
        paper.checked(f"{who} gets no answer at {address}, at no gate")


if __name__ == "__main__":
    sys.exit(main())
