"""A fleet of thousands, as far as one machine can play it: `python -m tests.fleet.simulation`.

Real are etcd with TLS, users and roles, the runs of the machine that decides and of one that
follows, and the name server's answers. The other machines are light clients: each waits for news by
the code of `allowsync follow`, and looks at the store by the code of a run, when it is woken and
once in `--every` seconds. It opens and reads what it gets, and has no target.

It prints the processor time and memory of each part, while names move all the time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync.config import load
from allowsync.fleet.document import decoded
from allowsync.fleet.envelope import new_signing_key, opened, public_key_of
from allowsync.fleet.fields import DocumentError
from allowsync.fleet.store import Fetched, StoreError
from allowsync.fleet.stores import reading_store
from allowsync.fleet.wakeups import wakeups
from tests.bench.nameserver import TTL, address, bound
from tests.bench.nameserver import respond as absent
from tests.support.etcd import Etcd

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from allowsync.config.fleet import Fleet

TICK: Final = os.sysconf("SC_CLK_TCK")
AT_ONCE: Final = 8  # looks of all clients together


def serve(listening: socket.socket, names: int, rate: float) -> None:
    """Answer for `c<number>.…`. From now on another one of them moves, so many times a second."""
    began = time.monotonic()
    while True:
        wire, peer = listening.recvfrom(512)
        end = wire.index(b"\0", 12) + 5
        label = wire[13 : 13 + wire[12]].lower()
        if not (label[:1] == b"c" and label[1:].isdigit() and int(label[1:]) < names):
            listening.sendto(absent(wire), peer)
            continue
        number = int(label[1:])
        moved = number < (time.monotonic() - began) * rate
        rdata = address(number + moved * names, ipv6=wire[end - 3] == 28)
        record = b"\xc0\x0c" + wire[end - 4 : end] + TTL + len(rdata).to_bytes(2, "big") + rdata
        head = wire[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
        listening.sendto(head + wire[12:end] + record, peer)


@dataclass
class Used:
    """Processor time in seconds, and memory in MiB."""

    seconds: float
    memory: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, {self.memory:.0f} MiB"


def used_by(pid: int) -> Used:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    held = next(int(one.split()[1]) for one in lines if one.startswith("VmRSS:"))
    return Used((int(fields[11]) + int(fields[12])) / TICK, held / 1024)


@dataclass
class Place:
    """A machine with a configuration of its own, and the real program."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "config.yaml"

    def write(self, **document: Any) -> None:
        self.folder.mkdir(exist_ok=True)
        self.path.touch(0o600)
        self.path.write_text(json.dumps({**document, "state": str(self.folder / "state.db")}))


def applied(path: Path) -> str:
    """One run of a machine: its exit code, and what it used with its resolver's process."""
    words = (sys.executable, "-m", "allowsync", "apply", "--config", str(path))
    with path.with_name("log").open("ab") as log:
        files = [(os.POSIX_SPAWN_DUP2, log.fileno(), one) for one in (1, 2)]
        pid = os.posix_spawn(sys.executable, words, os.environ, file_actions=files)
    _, status, usage = os.wait4(pid, 0)
    used = Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
    return f"code {os.waitstatus_to_exitcode(status)}, {used}"


@dataclass
class Clients:
    """Light clients, each of which follows a list.

    Attributes:
        fleet: Theirs.
        every: How many seconds pass between two looks of one that nothing wakes.
        counts: How many looks there were, wake-ups, documents with news, and failures.
        late: Seconds from the wake-up to the news, of each look that had some.
        threads: Two of each: one waits, one looks every now and then.
    """

    fleet: Fleet
    every: float
    counts: Counter[str] = field(default_factory=Counter)
    late: list[float] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    _marks: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._store, self._pool = reading_store(self.fleet), ThreadPoolExecutor(AT_ONCE)

    def grow(self, number: int, lists: Sequence[str]) -> None:
        """Have so many of them."""
        threading.stack_size(256 * 1024)
        for one in range(len(self.threads) // 2, number):
            name = lists[one % len(lists)]
            for step in (self._follow, self._run):
                self.threads.append(threading.Thread(target=step, args=(one, name), daemon=True))
                self.threads[-1].start()

    def _follow(self, number: int, name: str) -> None:
        for one in wakeups(self.fleet, (name,), 30.0):
            self.counts["trouble" if one.trouble else "wake-ups"] += 1
            if not one.trouble:
                self._pool.submit(self._look, number, name, time.monotonic())

    def _run(self, number: int, name: str) -> None:
        time.sleep(random.uniform(0, self.every))
        while True:
            self._pool.submit(self._look, number, name, time.monotonic())
            time.sleep(self.every)

    def _look(self, number: int, name: str, asked: float) -> None:
        key = f"{number} {name}"
        try:
            seen = self._store.look({name: self._marks.get(key, "")})[name]
            self.counts["looks"] += 1
            if isinstance(seen, Fetched):
                decoded(opened(seen.envelope, self.fleet.keys))
                self._marks[key] = seen.mark
                self.counts["news"] += 1
                self.late.append(time.monotonic() - asked)
        except (StoreError, DocumentError) as error:
            self.counts[f"failed: {error}"] += 1


def places(folder: Path, etcd: Etcd, names: int, lists: Sequence[str], port: int) -> list[Place]:
    """The machine that decides, one that follows, with all that they have in common."""
    key = new_signing_key()
    signing = folder / "signing.key"
    signing.touch(0o600)
    signing.write_text(key)
    file = folder / "customers.jsonl"
    file.touch(0o600)
    hosts = ({"name": f"c{n}", "hostname": f"c{n}.example.org"} for n in range(names))
    file.write_text("".join(f"{json.dumps(one)}\n" for one in hosts))

    def fleet(user: str, **more: Any) -> dict[str, Any]:
        return {"name": "home", "store": etcd.options(user), "keys": [public_key_of(key)], **more}

    resolver, applier = Place(folder / "resolver"), Place(folder / "applier")
    resolver.write(
        hosts_from={"jsonlines": str(file)},
        allowlists={
            name: {
                "publish": True,
                "hosts": [f"c{n}" for n in range(at, names, len(lists))],
            }
            for at, name in enumerate(lists)
        },
        resolver={"nameservers": [f"127.0.0.1:{port}"], "deadline": "5m"},
        fleet=fleet("resolver", signing_key_file=str(signing)),
    )
    applier.write(
        allowlists={
            lists[0]: {"follow": True, "targets": [{"file": {"path": str(folder / "allowed")}}]}
        },
        fleet=fleet("applier"),
    )
    return [resolver, applier]


def watched(seconds: float, parts: dict[str, int]) -> Iterator[tuple[str, float, float]]:
    """What processes use for so many seconds: name, share of a core in percent, memory in MiB."""
    before = {name: used_by(pid) for name, pid in parts.items()}
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    for name, pid in parts.items():
        after = used_by(pid)
        yield name, 100 * (after.seconds - before[name].seconds) / passed, after.memory


def play(given: argparse.Namespace, folder: Path) -> None:
    """Play it, and print what was measured."""
    lists = [f"l{n}" for n in range(given.lists)]
    listening = bound()
    port = listening.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    fork.Process(target=serve, args=(listening, given.names, given.rate), daemon=True).start()
    # A process counts the memory of the one that it is made by: so one that is small makes them.
    starter = ProcessPoolExecutor(1, fork)

    def run(path: Path) -> Future[str]:
        return starter.submit(applied, path)

    run(Path("/nowhere/config.yaml")).exception()
    with Etcd(folder, more={"bcrypt-cost": "4"}) as etcd:
        member = etcd.members[0].process
        assert member is not None
        resolver, applier = places(folder, etcd, given.names, lists, port)
        for machine in (resolver, resolver, applier, applier):
            print(f"a run of the {machine.folder.name}: {run(machine.path).result()}", flush=True)
        loaded = load(applier.path, environ=os.environ, uid=os.geteuid())
        assert loaded.fleet is not None
        clients = Clients(loaded.fleet, given.every)
        for number in given.clients:
            print(f"{number} clients came: {came(clients, number, lists, member.pid)}", flush=True)
            parts = {"etcd": member.pid, "clients": os.getpid()}
            for runs in (None, partial(run, resolver.path)):
                print(f"{number} clients: {measured(given, clients, parts, runs)}", flush=True)
        print(f"a run of the applier, with news: {run(applier.path).result()}", flush=True)


def came(clients: Clients, number: int, lists: Sequence[str], etcd: int) -> str:
    """What it costs etcd until so many clients wait for news, and each has looked once."""
    clients.counts.clear()
    before, more = used_by(etcd), number - len(clients.threads) // 2
    clients.grow(number, lists)
    while min(clients.counts["wake-ups"], clients.counts["looks"]) < more:
        time.sleep(0.2)
    after = used_by(etcd)
    each = 1000 * (after.seconds - before.seconds) / more
    return f"etcd {each:.1f} ms for each, {after.memory:.0f} MiB; {dict(clients.counts)}"


def measured(
    given: argparse.Namespace,
    clients: Clients,
    parts: dict[str, int],
    run: Callable[[], Future[str]] | None,
) -> str:
    """What a number of clients makes of etcd: at rest, or with runs of the machine that decides."""
    clients.counts.clear()
    clients.late.clear()
    told: list[str] = []
    ended = threading.Event()

    def repeat() -> None:
        while run is not None and not ended.is_set():
            told.append(run().result())
            ended.wait(given.pause)

    runner = threading.Thread(target=repeat)
    runner.start()
    used = [
        f"{name} {share:.1f} %, {held:.0f} MiB"
        for name, share, held in watched(given.seconds, parts)
    ]
    ended.set()
    runner.join()
    late = sorted(clients.late) or [0.0]
    return (
        f"{'; '.join(used)}; {dict(clients.counts)}; news after {late[len(late) // 2]:.1f} s, "
        f"{late[-1]:.1f} s at most; runs {told}"
    )


def main() -> None:
    """Parse the command line and play."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--names", type=int, default=50_000)
    parser.add_argument("--lists", type=int, default=2_000, help="that share the names")
    parser.add_argument("--clients", type=int, nargs="+", default=[10, 100, 1_000, 2_000])
    parser.add_argument("--rate", type=float, default=3.0, help="moves in a second")
    parser.add_argument("--every", type=float, default=300.0, help="seconds between looks")
    parser.add_argument("--pause", type=float, default=30.0, help="seconds between runs")
    parser.add_argument("--seconds", type=float, default=90.0, help="of each measurement")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="allowsync-fleet-") as folder:
        play(given, Path(folder))
    os._exit(0)  # the clients wait for ever


if __name__ == "__main__":
    main()
