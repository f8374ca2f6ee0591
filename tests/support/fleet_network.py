"""A fleet in network namespaces: members of etcd, machines with gates, and people who knock.

    with FleetNetwork(folder, appliers=5) as network:
        network.everywhere("apply")
        assert network.admitted("81.2.69.1") == network.appliers

Every machine and every member has a namespace of its own, with a cable to one in the middle, where
all people, the name server and etcdctl are. Nothing of it is left when it ends.
"""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from testkit.fake_dns.nameserver import NameServer
from tests.support.etcd import Etcd
from tests.support.fleets import Machine, Machines
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.support.etcd import Member
    from tests.support.program import ProgramResult

PORT: Final = 8096
MIDDLE: Final = "10.99.0.1"
LET_IN_WITHIN: Final = 6.0  # seconds: TCP asks again after one, three and seven
SILENT_FOR: Final = 0.5


@dataclass
class Site:
    """A namespace on the network."""

    address: str
    inside: Namespace
    cable: str


@dataclass
class FleetNetwork:
    """Three resolvers, appliers, three members of etcd, and a name server.

    Attributes:
        folder: Where all files are.
        zones: What the name server answers.
        people: Every address that may knock.
        hosts: Who is on the list.
        count: How many appliers.
        fleet: Further options of the section `fleet`.
        quota: What etcd may store, in octets; 0: what it is by default.
        resolvers: The machines that publish.
        appliers: The machines that follow.
    """

    folder: Path
    zones: dict[str, Any]
    people: Iterable[str]
    hosts: Mapping[str, Any]
    count: int = 5
    fleet: dict[str, Any] = field(default_factory=dict)
    quota: int = 0
    policy: dict[str, Any] = field(
        default_factory=lambda: {
            "keep_replaced": "0s",
            "replaced_runs": 1,
            "max_moves": 100_000,
            "canary": False,
        }
    )
    resolvers: list[Machine] = field(default_factory=list)
    appliers: list[Machine] = field(default_factory=list)
    sites: dict[str, Site] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.middle = Namespace()
        self.middle.batch(
            "link add name br0 type bridge",
            "link set dev br0 up",
            f"address add {MIDDLE}/16 dev br0",
            *(f"address add {one}/32 dev lo" for one in self.people),
        )
        self.server = self.middle.run(lambda: NameServer(self.zones, MIDDLE)).__enter__()
        self._services = Services()
        places = [self._site(f"etcd{n}", f"10.99.0.{10 + n}") for n in range(3)]
        folder = self.folder / "etcd"
        folder.mkdir()
        self.etcd = Etcd(
            folder,
            places=[(one.address, one.inside) for one in places],
            outside=self.middle,
            more={"bcrypt-cost": "4", "quota-backend-bytes": str(self.quota)},
        ).__enter__()
        machines = Machines(self.folder, self.server, self.etcd.options("resolver"))
        for n in range(3):
            made = machines.resolver(f"resolver{n}", **self.hosts)
            self.resolvers.append(self._machine(made, f"10.99.0.{20 + n}"))
        for n in range(self.count):
            made = machines.applier(f"applier{n}")
            made.store = self.etcd.options("applier")
            self.appliers.append(self._machine(made, f"10.99.1.{n}"))
        return self

    def __exit__(self, *_: object) -> None:
        self.etcd.__exit__()
        self._services.close()
        self.server.__exit__(None, None, None)
        for one in self.sites.values():
            one.inside.close()
        self.middle.close()

    def run(self, machine: Machine, command: str, *arguments: str) -> ProgramResult:
        """Run allowsync on a machine."""
        return self.sites[machine.name].inside.run(lambda: machine(command, *arguments))

    def everywhere(self, command: str, code: int = 0) -> None:
        """Run allowsync on every machine, resolvers first; each ends with that exit code."""
        for one in (*self.resolvers, *self.appliers):
            done = self.run(one, command)
            assert done.code == code, f"{one.name}: {done.code} {done.err}"

    def admitted(self, source: str, patience: float = LET_IN_WITHIN) -> list[Machine]:
        """The appliers that let in who comes from an address; it knocks at all of them at once."""
        found = self.knocks([(source, one) for one in self.appliers], patience)
        return [machine for (_, machine), let_in in found if let_in]

    def knocks(
        self, pairs: list[tuple[str, Machine]], patience: float
    ) -> list[tuple[tuple[str, Machine], bool]]:
        """Which connections from addresses to machines come about within so many seconds."""
        clients = self.middle.run(lambda: [_client(source) for source, _ in pairs])
        with selectors.DefaultSelector() as waiting:
            for number, (client, (_, machine)) in enumerate(zip(clients, pairs, strict=True)):
                client.connect_ex((self.sites[machine.name].address, PORT))
                waiting.register(client, selectors.EVENT_WRITE, number)
            connected, ends = set(), time.monotonic() + patience
            while waiting.get_map() and (left := ends - time.monotonic()) > 0:
                for key, _ in waiting.select(left):
                    if clients[key.data].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                        connected.add(key.data)
                    waiting.unregister(key.fileobj)
        for client in clients:
            client.close()
        return [(pair, number in connected) for number, pair in enumerate(pairs)]

    def cut(self, name: str, *, off: bool) -> None:
        """Take a machine or a member off the network, or put it back."""
        state = "down" if off else "up"
        self.middle.batch(f"link set dev {self.sites[name].cable} {state}")

    def leader(self) -> str:
        """The resolver that leads; empty where none does."""
        done = self.etcd.ctl("get", "/allowsync/home/leader", "--print-value-only", check=False)
        return next((one.name for one in self.resolvers if f'"{one.name}"' in done.stdout), "")

    def end_lease(self) -> None:
        """What time does where the resolver that leads is not heard of."""
        done = self.etcd.ctl("get", "/allowsync/home/leader", "-w", "json")
        for one in json.loads(done.stdout).get("kvs", ()):
            self.etcd.ctl("lease", "revoke", f"{one['lease']:x}")

    def site_of(self, member: Member) -> str:
        """What the namespace of a member is called."""
        return next(name for name, one in self.sites.items() if one.address == member.host)

    def _site(self, name: str, address: str) -> Site:
        inside, cable = Namespace(), f"c{len(self.sites)}"
        self.middle.join(inside, cable, "eth0")
        self.middle.batch(f"link set dev {cable} master br0")
        inside.batch(f"address add {address}/16 dev eth0", f"route add default via {MIDDLE}")
        self.sites[name] = Site(address, inside, cable)
        return self.sites[name]

    def _machine(self, machine: Machine, address: str) -> Machine:
        site = self._site(machine.name, address)
        machine.web = {"targets": [{"nftables": {"ports": [f"{PORT}/tcp"]}}]}
        machine.fleet, machine.policy = self.fleet, self.policy
        self._services.add(site.inside.run(lambda: socket.create_server(("", PORT), backlog=1000)))
        return machine


class Services:
    """Takes connections at every machine, and closes them."""

    def __init__(self) -> None:
        self._selector, self._open = selectors.DefaultSelector(), True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def add(self, listening: socket.socket) -> None:
        """Serve one more."""
        self._selector.register(listening, selectors.EVENT_READ)

    def close(self) -> None:
        """End."""
        self._open = False
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _serve(self) -> None:
        while self._open:
            for key, _ in self._selector.select(0.2):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.accept()[0].close()


def _client(source: str) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    # What is closed leaves no state that fills the ports.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.bind((source, 0))
    return client
