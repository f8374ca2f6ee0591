"""Machines of a fleet: some publish, some follow, each an installation of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from allowsync.fleet.envelope import new_signing_key, public_key_of
from tests.support.program import Installation

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_dns.nameserver import NameServer


@dataclass
class Machine(Installation):
    """A machine: with a signing key it publishes the list `web`, without it follows."""

    name: str = "machine"
    store: dict[str, Any] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    signing_key: str = ""
    fleet: dict[str, Any] = field(default_factory=dict)
    web: dict[str, Any] = field(default_factory=dict)

    def write(self) -> None:
        key = self.folder / "signing.key"
        if self.signing_key:
            key.touch(0o600)
            key.write_text(self.signing_key)
        role = {"publish": True} if self.signing_key else {"follow": True}
        targets = {"targets": [{"file": {"path": str(self.file)}}]}
        document = {
            **({"hosts": self.hosts} if self.hosts else {}),
            "allowlists": {"web": {**role, **targets, **self.web}},
            "resolver": {"nameservers": [str(self.server)], "timeout": "1s", **self.resolver},
            "policy": self.policy,
            "state": str(self.state),
            "fleet": {
                "name": "home",
                "store": self.store,
                "keys": self.keys,
                "machine": self.name,
                **({"signing_key_file": str(key)} if self.signing_key else {}),
                **self.fleet,
            },
            **self.more,
        }
        self.path.write_text(json.dumps(document, indent=1))
        self.path.chmod(0o600)


@dataclass
class Machines:
    """Makes machines that share a store and a key.

    Attributes:
        folder: Where each has its own.
        server: Their name server.
        store: What carries the documents.
    """

    folder: Path
    server: NameServer
    store: dict[str, Any]
    signing_key: str = field(default_factory=new_signing_key)

    def resolver(self, name: str = "resolver", **hosts: object) -> Machine:
        """One that publishes."""
        machine = self.applier(name)
        machine.hosts, machine.signing_key = dict(hosts), self.signing_key
        return machine

    def applier(self, name: str = "applier") -> Machine:
        """One that follows."""
        folder = self.folder / name
        folder.mkdir()
        key = public_key_of(self.signing_key)
        return Machine(folder, self.server, name=name, store=self.store, keys=[key])
