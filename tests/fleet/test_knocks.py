"""Friends and strangers knock at every gate of a fleet while its store and its leaders fail.

A sample. `FLEET_ROUNDS=100 FLEET_APPLIERS=20` is the whole; it prints what it found.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.fleet_network import LET_IN_WITHIN, SILENT_FOR, FleetNetwork
from tests.support.unpacked import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.etcd import Member
    from tests.support.fleets import Machine

ROUNDS: Final = int(os.environ.get("FLEET_ROUNDS", "2"))
FIRST: Final = int(os.environ.get("FLEET_FIRST", "3"))
APPLIERS: Final = int(os.environ.get("FLEET_APPLIERS", "3"))
QUOTA: Final = 8 * 2**20  # octets
MOST_TURNS: Final = 12
BOB, OFFICE, STRANGER = "81.2.69.2", "81.2.70.1", "81.2.99.9"
ALICE: Final = [f"81.2.71.{n}" for n in range(1, 201)]
HOSTS: Final[dict[str, Any]] = {
    "alice": {"hostname": "alice.example.org", "families": ["ipv4"]},
    "bob": {"hostname": "bob.example.org", "families": ["ipv4"]},
    "office": {"networks": ["81.2.70.0/28"]},
}


class Knockers:
    """People who knock at every gate, again and again, from a thread.

    Attributes:
        knocks: How often.
        locked_out: Friends who got no answer, and where.
        let_in: Strangers who got one.
        strangers: Who is one now.
    """

    def __init__(self, network: FleetNetwork) -> None:
        self.knocks: Counter[str] = Counter()
        self.locked_out: list[tuple[str, str]] = []
        self.let_in: list[tuple[str, str]] = []
        self.strangers = {STRANGER}
        self._network, self._left = network, threading.Event()
        self._thread = threading.Thread(target=self._knock)

    def __enter__(self) -> Knockers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _knock(self) -> None:
        while not self._left.is_set():
            gates = self._network.appliers
            friends = [(one, gate) for one in (BOB, OFFICE) for gate in gates]
            for (who, gate), connected in self._network.knocks(friends, 2 * LET_IN_WITHIN):
                self.knocks["friends"] += 1
                if not connected:
                    self.locked_out.append((who, gate.name))
            strangers = [(one, gate) for one in self.strangers for gate in gates]
            for (who, gate), connected in self._network.knocks(strangers, SILENT_FOR):
                self.knocks["strangers"] += 1
                if connected:
                    self.let_in.append((who, gate.name))


class Disasters:
    """What fails in a round, and is mended in it after every machine ran once.

    Args:
        network: Whose.
        folder: For a backup.
    """

    def __init__(self, network: FleetNetwork, folder: Path) -> None:
        self._network, self._etcd = network, network.etcd
        self._backup = folder / "backup"
        self.all: list[Callable[[Member], Iterator[None]]] = [
            self.cut_off,
            self.full,
            self.stopped,
            self.restored,
            self.compacted,
            self.without_majority,
            self.resolver_cut_off,
            self.slow,
        ]
        self.save()

    def save(self) -> None:
        """Make a backup, as of now."""
        self._backup.unlink(missing_ok=True)
        self._etcd.ctl("snapshot", "save", str(self._backup), member=self._etcd.members[0])

    def cut_off(self, leading: Member) -> Iterator[None]:
        """The member that leads is on the wrong side of a partition."""
        name = self._network.site_of(leading)
        self._network.cut(name, off=True)
        yield
        self._network.cut(name, off=False)

    def stopped(self, leading: Member) -> Iterator[None]:
        """Its disk takes nothing any more: it holds its connections and answers nothing."""
        assert leading.process is not None
        os.kill(leading.process.pid, signal.SIGSTOP)
        yield
        os.kill(leading.process.pid, signal.SIGCONT)

    def slow(self, leading: Member) -> Iterator[None]:
        """Its disk takes a second for whatever is to last (delays by strace(1))."""
        assert leading.process is not None
        pid, calls = leading.process.pid, "fdatasync,fsync"
        inject = ("-e", f"trace={calls}", "-e", f"inject={calls}:delay_enter={1_000_000}")
        with subprocess.Popen(
            ("strace", "-f", "-qq", "-o", "/dev/null", *inject, "-p", str(pid))
        ) as tracer:
            while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
                assert tracer.poll() is None
                time.sleep(0.01)
            yield
            tracer.terminate()

    def full(self, leading: Member) -> Iterator[None]:
        """The store has used up its quota."""
        for number in count():
            done = self._etcd.ctl("put", f"/junk/{number}", "x" * 100_000, check=False)
            if "space exceeded" in done.stderr:
                break
        yield
        done = self._etcd.ctl("get", "x", "-w", "json", member=leading)
        revision = done.stdout.partition('"revision":')[2].partition(",")[0]
        self._etcd.ctl("del", "--prefix", "/junk/")
        self._etcd.ctl("compaction", "--physical", revision, check=False)
        for one in self._etcd.members:
            self._etcd.ctl("defrag", member=one)
        self._etcd.ctl("alarm", "disarm")

    def compacted(self, leading: Member) -> Iterator[None]:
        """Revisions before this one are gone."""
        done = self._etcd.ctl("get", "x", "-w", "json", member=leading)
        revision = done.stdout.partition('"revision":')[2].partition(",")[0]
        self._etcd.ctl("compaction", "--physical", revision)
        yield

    def restored(self, leading: Member) -> Iterator[None]:
        """The store is as it was some rounds ago."""
        self._etcd.restore(self._backup)
        self._network.end_lease()  # that of then: no machine renews it
        yield
        self.save()

    def without_majority(self, leading: Member) -> Iterator[None]:
        """Two of three members are dead."""
        for one in self._etcd.members:
            if one is not leading:
                self._etcd.kill(one)
        yield  # every member is started then

    def resolver_cut_off(self, leading: Member) -> Iterator[None]:
        """The resolver that leads runs on without the store."""
        name = self._network.leader()
        self._network.cut(name, off=True)
        self._network.end_lease()
        yield
        self._network.cut(name, off=False)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[FleetNetwork]:
    unpacked("etcd", "etcd-server", "etcd-client")
    zones = {"alice.example.org": [ALICE[0]], "bob.example.org": [BOB]}
    people = (*ALICE, BOB, OFFICE, STRANGER)
    with FleetNetwork(tmp_path, zones, people, HOSTS, APPLIERS, quota=QUOTA) as network:
        yield network


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_no_friend_is_locked_out_and_no_stranger_let_in(
    network: FleetNetwork, tmp_path: Path
) -> None:
    network.everywhere("apply")
    disasters, took, codes = Disasters(network, tmp_path), [], Counter[str]()
    with Knockers(network) as knockers:
        for number in range(FIRST, FIRST + ROUNDS):
            took.append(one_round(network, disasters, number, codes))
            moved = ALICE[(number + 1) % len(ALICE)]
            # Nor does who had her addresses before.
            knockers.strangers = {STRANGER, ALICE[number % len(ALICE)]} - {moved}
            assert not knockers.locked_out, (number, knockers.locked_out)
            assert not knockers.let_in, (number, knockers.let_in)
            print(f"round {number}: {took[-1]:.1f} s, {dict(knockers.knocks)}", flush=True)
    assert min(knockers.knocks.values()) >= APPLIERS * ROUNDS
    print(
        f"\n{ROUNDS} rounds, {APPLIERS} gates; knocks {dict(knockers.knocks)}; codes {dict(codes)};"
        f" from a change to the last gate: median {statistics.median(took):.1f} s,"
        f" worst {max(took):.1f} s"
    )


def one_round(
    network: FleetNetwork, disasters: Disasters, number: int, codes: Counter[str]
) -> float:
    """The leaders die, something else fails, alice moves: how long until she is let in everywhere.

    The member of etcd that leads is killed in every round, and the resolver that leads runs no more
    in it, unless it is another of its kind that the round is about.
    """
    etcd, moved = network.etcd, ALICE[(number + 1) % len(ALICE)]
    make = disasters.all[number % len(disasters.all)]
    dead = ""
    if make != disasters.resolver_cut_off:
        dead = network.leader()
        network.end_lease()
    killed = etcd.wait_for_leader()
    etcd.kill(killed)
    leading = etcd.wait_for_leader()
    etcd.start(killed)
    etcd.wait_for(killed)
    disaster = make(leading)
    next(disaster)
    network.server.zones["alice.example.org"] = [moved]
    began, waiting = time.monotonic(), list(network.appliers)
    with ThreadPoolExecutor(6) as several:
        for turn in range(MOST_TURNS):
            for one in network.resolvers:
                if one.name != dead:
                    noted(network, one, codes)
            list(several.map(partial(noted, network, codes=codes), waiting))
            waiting = [one for one in waiting if not holds(network, one, moved)]
            if turn == 0:
                next(disaster, None)
                start_all(network)
            if not waiting:
                break
    ended = time.monotonic() - began
    assert not waiting, (number, [one.name for one in waiting])
    assert len(network.admitted(moved)) == len(network.appliers)
    return ended


def start_all(network: FleetNetwork) -> None:
    for one in network.etcd.members:
        if one.process is None:
            network.etcd.start(one)
    for one in network.etcd.members:
        network.etcd.wait_for(one)


def noted(network: FleetNetwork, machine: Machine, codes: Counter[str]) -> None:
    done = network.run(machine, "apply")
    kind = "resolver" if machine.signing_key else "applier"
    assert done.code in ((0, 1, 3) if machine.signing_key else (0, 3)), (machine.name, done.err)
    codes[f"{kind} {done.code}"] += 1


def holds(network: FleetNetwork, machine: Machine, address: str) -> bool:
    """Whether a gate has an address, by nft's word: a packet asks in the end."""
    command = ("nft", "list", "table", "inet", "allowsync_web")
    return f" {address} " in network.sites[machine.name].inside.command(*command).replace(",", " ")
