"""Files made from templates: a target, and whose networks it is to be made from."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from allowsync_backends.file import TYPE, FileOptions

from allowsync.model.target import Placement
from allowsync.model.types import Entry
from allowsync.plan.planner import Situation, make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from allowsync.model.plan import Plan
    from allowsync.model.target import Current
    from allowsync.model.types import Network


def entries(*, replaced: str = "", **hosts: str) -> tuple[Entry, ...]:
    """`alice="81.2.69.1 2a02::/64"` → what is wanted; `replaced` names hosts and networks: `alice
    81.2.69.1`."""
    former = replaced.split()
    wanted: dict[Network, list[str]] = {}
    for name, texts in sorted(hosts.items()):
        for text in texts.split():
            wanted.setdefault(ip_network(text), []).append(name)
    return tuple(
        Entry(network, tuple(names), tuple(former[:1]) if _is(network, former) else ())
        for network, names in wanted.items()
    )


def _is(network: Network, former: list[str]) -> bool:
    return bool(former) and network == ip_network(former[1])


@dataclass(frozen=True)
class Templated:
    """A file target with a template of its own, in a folder of its own."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "made" / "friends"

    @property
    def template(self) -> Path:
        return self.folder / "friends.j2"

    @property
    def note(self) -> Path:
        return self.file.with_name(".friends.allowsync")

    @property
    def names(self) -> set[str]:
        """What is in the folder of the file."""
        return {one.name for one in self.file.parent.iterdir()}

    @property
    def body(self) -> str:
        """The text without its mark."""
        lines = self.file.read_text().splitlines(keepends=True)
        at = next(n for n, line in enumerate(lines) if line.startswith("# template "))
        return "".join(lines[at + 1 :])

    def says(self, text: str) -> Templated:
        """Let the template be another."""
        self.file.parent.mkdir(exist_ok=True)
        self.template.write_text(text)
        return self

    def target(self, allowlist: str = "x", **options: Any) -> Backend:
        more = {"template": self.template, **options}
        return TYPE.make(Placement(allowlist, f"{allowlist}/file"), FileOptions(self.file, **more))

    def read(self, **options: Any) -> Current:
        return self.target(**options).read()

    def put(self, wanted: tuple[Entry, ...] = (), **options: Any) -> Plan:
        """Look, plan and apply as the core does; what was planned."""
        backend = self.target(**options)
        plan = planned(backend, backend.read(), wanted)
        backend.apply(plan)
        return plan


def planned(backend: Backend, current: Current, wanted: tuple[Entry, ...]) -> Plan:
    """The plan the core makes."""
    return make_plan(
        Situation(
            "x/file",
            current,
            {one.network: one.hosts for one in wanted},
            capabilities=backend.capabilities,
            replaced={one.network: one.replaced for one in wanted if one.replaced},
        )
    )
