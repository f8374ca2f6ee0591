"""What waits for decisions, as a process of its own: with a real etcd, and with a folder."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.config.fleet import EtcdStoreOptions
from allowsync.config.secrets import KeptSecret, Secret
from allowsync.fleet.etcd_watch import EVERYTHING, EtcdWatch
from allowsync.fleet.store import StoreError
from allowsync.fleet.wakeups import LONGEST_PAUSE, pause
from tests.support.fleets import Machine, Machines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testkit.fake_dns.nameserver import NameServer
    from tests.support.etcd import Etcd

PATIENCE = 60.0  # seconds
HOSTS: dict[str, Any] = {"office": {"networks": ["81.2.70.0/24"]}}


class Follower:
    """The process, and what it prints."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._rest = {"out": b"", "err": b""}

    def line(self, which: str = "out") -> str:
        """The next line; it fails where none comes."""
        stream = self.process.stdout if which == "out" else self.process.stderr
        assert stream is not None
        while b"\n" not in self._rest[which]:
            assert select.select([stream], [], [], PATIENCE)[0], "no line came"
            part = stream.read1(65536)  # type: ignore[attr-defined]
            assert part, "it ended"
            self._rest[which] += part
        line, self._rest[which] = self._rest[which].split(b"\n", 1)
        return line.decode()


@contextmanager
def following(machine: Machine, *more: str) -> Iterator[Follower]:
    machine.write()
    words = [sys.executable, "-m", "allowsync", "follow", "--config", str(machine.path), *more]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield Follower(process)
        finally:
            process.kill()


@pytest.fixture
def resolver(machines: Machines) -> Machine:
    return machines.resolver(**HOSTS)


def watch_of(etcd: Etcd, *names: str, idle: float = 1.0) -> EtcdWatch:
    user = etcd.options("applier")["etcd"]
    password = KeptSecret(user["password_file"], Secret("of-appliers"))
    options = EtcdStoreOptions(tuple(user["endpoints"]), etcd.ca, "allowsync-applier", password)
    return EtcdWatch(options, "home", names or ["web"], idle)


def put(etcd: Etcd, name: str) -> None:
    etcd.ctl("put", f"/allowsync/home/lists/{name}", "x")


def test_a_decision_wakes_at_once_and_nothing_else_does(
    resolver: Machine, applier: Machine, etcd: Etcd, tmp_path: Path
) -> None:
    touched = tmp_path / "changed"
    with following(applier, "--touch", str(touched)) as process:
        assert process.line() == "web"  # what came before is unknown
        put(etcd, "other")
        put(etcd, "web/0123/0")  # a part of a document that is not there yet
        touched.unlink()
        assert resolver("apply").code == 0
        assert process.line() == "web"
        assert touched.read_text() == "web\n"
        assert applier("apply").code == 0
        resolver.hosts["carol"] = {"networks": ["81.2.73.0/24"]}
        resolver("apply")
        assert process.line() == "web"
        assert applier("apply").code == 0
        assert applier.allowed == ["81.2.70.0/24", "81.2.73.0/24"]


def test_a_store_that_comes_back_is_heard_again(
    resolver: Machine, applier: Machine, etcd: Etcd
) -> None:
    (member,) = etcd.members
    with following(applier, "--output", "json") as process:
        assert json.loads(process.line()) == {"schema": "allowsync.follow/1", "lists": ["web"]}
        etcd.kill(member)
        assert "it is tried again" in process.line("err")
        etcd.start(member)
        etcd.wait_for(member)
        resolver("apply")
        assert json.loads(process.line())["lists"] == ["web"]


def test_what_changed_between_two_sessions_is_told_in_the_next(etcd: Etcd) -> None:
    watch = watch_of(etcd, "web", "ssh")
    assert list(watch.session()) == [EVERYTHING]
    assert list(watch.session()) == []
    put(etcd, "ssh")
    put(etcd, "web")
    assert sorted(name for one in watch.session() for name in one) == ["ssh", "web"]
    assert list(watch.session()) == []


def test_lists_of_other_machines_are_not_sent(etcd: Etcd) -> None:
    """Where each of thousands has one of its own, each would be sent the news of all."""
    watch = watch_of(etcd)
    list(watch.session())
    for name in ("wea", "web0", "web"):
        put(etcd, name)
    assert list(watch.session()) == [{"web"}]


def test_a_history_that_was_compacted_is_begun_anew(etcd: Etcd) -> None:
    watch = watch_of(etcd)
    assert list(watch.session()) == [EVERYTHING]
    for _ in range(3):
        put(etcd, "web")
    revision = json.loads(etcd.ctl("get", "x", "-w", "json").stdout)["header"]["revision"]
    etcd.ctl("compaction", "--physical", str(revision))
    with pytest.raises(StoreError, match="compacted"):
        list(watch.session())
    assert list(watch.session()) == [EVERYTHING]


def test_a_token_that_ran_out_is_renewed(etcd: Etcd) -> None:
    watch = watch_of(etcd)
    watch._token = "made.up"
    with pytest.raises(StoreError, match="token"):
        list(watch.session())
    assert list(watch.session()) == [EVERYTHING]


def test_a_backup_that_was_restored_is_begun_anew(etcd: Etcd) -> None:
    """So it looks where revisions began anew: the watch would wait for one that is far away."""
    watch = watch_of(etcd)
    list(watch.session())
    watch._revision += 1000
    heard = watch.session()
    assert next(heard) is EVERYTHING
    with pytest.raises(StoreError, match="another than before"):
        next(heard)
    put(etcd, "web")
    assert list(watch.session()) == [{"web"}]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"header": 1, "events": {}},
        {"header": {"revision": "x"}, "events": [1, None, {}, {"kv": 7}, {"kv": {"key": ""}}]},
        {"events": [{"kv": {"key": "L2FsbG93c3luYy9ob21lL2xlYWRlcg=="}}]},  # of no list
    ],
)
def test_answers_that_make_no_sense_wake_no_run(answer: dict[str, Any], tmp_path: Path) -> None:
    options = EtcdStoreOptions(("https://127.0.0.1:1",), tmp_path / "ca")
    assert list(EtcdWatch(options, "home", ["web"])._changed(answer)) == []


def test_what_may_not_be_watched_is_told(applier: Machine) -> None:
    applier.store = {"etcd": {**applier.store["etcd"], "prefix": "/elsewhere"}}
    with following(applier) as process:
        assert "permission denied" in process.line("err")


def test_a_folder_is_looked_at_every_now_and_then(tmp_path: Path, server: NameServer) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    machines = Machines(tmp_path, server, {"file": str(folder)})
    resolver, applier = machines.resolver(**HOSTS), machines.applier()
    with following(applier, "--every", "1") as process:
        assert process.line() == "web"
        resolver("apply")
        assert process.line() == "web"


def test_a_document_that_cannot_be_read_keeps_no_other_from_being_told(
    tmp_path: Path, server: NameServer
) -> None:
    folder = tmp_path / "store"
    for name in ("web", "ssh"):
        (folder / f"{name}.json").mkdir(parents=True)
    machines = Machines(tmp_path, server, {"file": str(folder)})
    resolver, applier = machines.resolver(**HOSTS), machines.applier()
    applier.more = {
        "allowlists": {
            name: {"follow": True, "targets": [{"file": {"path": str(tmp_path / name)}}]}
            for name in ("web", "ssh")
        }
    }
    with following(applier, "--every", "1") as process:
        assert (
            f"{folder}/web.json: this is a folder, not a file; it is tried again"
            in process.line("err")
        )
        (folder / "web.json").rmdir()
        assert process.line() == "ssh web"
        resolver("apply")
        assert process.line() == "web"


def test_a_machine_of_no_fleet_follows_none(tmp_path: Path, server: NameServer) -> None:
    machine = Machines(tmp_path, server, {"file": "/x"}).applier()
    machine.more = {
        "fleet": None,
        "hosts": HOSTS,
        "allowlists": {"web": {"targets": [{"file": {"path": str(machine.file)}}]}},
    }
    machine.write()
    text = json.loads(machine.path.read_text())
    del text["fleet"]
    machine.path.write_text(json.dumps(text))
    machine.freeze = True
    done = machine("follow")
    assert done.code == 2
    assert "belongs to no fleet" in done.err


def test_attempts_become_rare_and_are_not_made_together() -> None:
    assert 0.5 <= pause(1) <= 1
    assert all(LONGEST_PAUSE / 2 <= pause(n) <= LONGEST_PAUSE for n in (7, 8, 10_000))
    assert len({pause(9) for _ in range(20)}) > 1
