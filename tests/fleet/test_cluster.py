"""Three members of etcd: what is lost with one, and with two."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from allowsync.config.fleet import EtcdStoreOptions
from allowsync.config.secrets import KeptSecret, Secret
from allowsync.fleet.etcd_watch import EVERYTHING, EtcdWatch
from allowsync.fleet.store import StoreError
from tests.support.etcd import Etcd
from tests.support.fleets import Machines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testkit.fake_dns.exchanges import DnsReply, DnsRequest
    from testkit.fake_dns.nameserver import NameServer

ALICE = {"hostname": "alice.example.org", "families": ["ipv4"]}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Etcd]:
    (tmp_path / "etcd").mkdir()
    with Etcd(tmp_path / "etcd", size=3) as cluster:
        yield cluster


def test_one_member_is_not_missed_and_without_a_majority_all_stays(
    tmp_path: Path, server: NameServer, zones: dict[str, object], cluster: Etcd
) -> None:
    machines = Machines(tmp_path, server, cluster.options("resolver"))
    resolver, applier = machines.resolver(alice=ALICE), machines.applier()
    applier.store = cluster.options("applier")
    resolver.policy = {"keep_replaced": "0s", "replaced_runs": 1}
    assert (resolver("apply").code, applier("apply").code) == (0, 0)
    first, second, third = cluster.members

    cluster.kill(first)
    zones["alice.example.org"] = ["81.2.69.7"]
    assert (resolver("apply").code, applier("apply").code) == (0, 0)
    assert applier.allowed == ["81.2.69.7/32"]

    cluster.kill(second)
    zones["alice.example.org"] = ["81.2.69.8"]
    done = resolver("apply")
    assert done.code == 1
    assert "the leader is unknown" in " ".join(done.err.split())
    assert resolver.allowed == ["81.2.69.8/32"]  # its own targets it serves all the same
    done = applier("apply")
    assert done.code == 3
    assert applier.allowed == ["81.2.69.7/32"]

    for one in (first, second):
        cluster.start(one)
    for one in (first, second, third):
        cluster.wait_for(one)
    assert resolver("apply").code == 0
    assert applier("apply").code == 0
    assert applier.allowed == ["81.2.69.8/32"]


def test_a_store_that_goes_down_during_a_run_leaves_unknown_what_it_took(
    tmp_path: Path, server: NameServer, zones: dict[str, object]
) -> None:
    (tmp_path / "etcd").mkdir()
    with Etcd(tmp_path / "etcd") as etcd:
        machines = Machines(tmp_path, server, etcd.options("resolver"))
        resolver = machines.resolver(alice=ALICE)
        resolver.resolver = {"timeout": "20s", "deadline": "50s"}
        assert resolver("apply").code == 0
        (member,) = etcd.members

        def meanwhile(request: DnsRequest) -> list[DnsReply]:
            etcd.kill(member)
            return request.answer(["81.2.69.7"])

        zones["alice.example.org"] = meanwhile
        done = resolver("apply")
        assert done.code == 1
        assert "could not confirm the publication of web" in " ".join(done.err.split())
        assert "81.2.69.7/32" in resolver.allowed
        etcd.start(member)
        etcd.wait_for(member)
        zones["alice.example.org"] = ["81.2.69.7"]
        assert resolver("apply").code == 0
        assert etcd.document()["version"] == 2


def test_a_member_without_a_leader_ends_a_watch_instead_of_being_silent(cluster: Etcd) -> None:
    """The next session asks another member, which tells what came meanwhile."""
    cut_off, *others = cluster.members
    user = cluster.options("applier")["etcd"]
    password = KeptSecret(user["password_file"], Secret("of-appliers"))
    urls = tuple(one.url for one in (cut_off, *others))
    watch = EtcdWatch(
        EtcdStoreOptions(urls, cluster.ca, "allowsync-applier", password), "home", ["web"], 20.0
    )
    heard = watch.session()
    assert next(heard) is EVERYTHING
    for one in others:
        cluster.kill(one)
    with pytest.raises(StoreError):
        next(heard)
    for one in others:
        cluster.start(one)
    cluster.wait_for_leader()
    cluster.ctl("put", "/allowsync/home/lists/web", "x")
    for _ in range(5):
        with suppress(StoreError):
            if next(watch.session(), None) == frozenset({"web"}):
                return
    pytest.fail("it was not told")
