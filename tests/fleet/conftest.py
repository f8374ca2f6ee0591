"""A name server, a real etcd, and machines of a fleet that it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.etcd import Etcd
from tests.support.fleets import Machine, Machines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def zones() -> dict[str, object]:
    return {"alice.example.org": ["81.2.69.1"], "bob.example.org": ["81.2.69.2"]}


@pytest.fixture
def server(zones: dict[str, object]) -> Iterator[NameServer]:
    with NameServer(zones) as server:
        yield server


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest.fixture
def machines(tmp_path: Path, server: NameServer, etcd: Etcd) -> Machines:
    etcd.ctl("del", "--prefix", "/allowsync")
    return Machines(tmp_path, server, etcd.options("resolver"))


@pytest.fixture
def applier(machines: Machines, etcd: Etcd) -> Machine:
    machine = machines.applier()
    machine.store = etcd.options("applier")
    return machine
