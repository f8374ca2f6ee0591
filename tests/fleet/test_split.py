"""Two configurations out of one machine's: what is written stays, and both halves run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.setup.fleet_split import split
from allowsync.setup.text_edit import UneditableError
from tests.support.program import Installation

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_dns.nameserver import NameServer

TEXT = """\
# friends
hosts:
  alice: {hostname: alice.example.org, families: [ipv4]}  # moves
  office:
    networks: [81.2.70.0/24]
allowlists:
  web:
    hosts: [alice, office]  # both
    targets:
      - file: {path: WEB}
  ssh:
    hosts:
      - office
    targets: [{file: {path: SSH}}]
  all: {targets: [{file: {path: ALL}}]}
resolver: {nameservers: [SERVER]}  # at home
state: STATE
# the end
"""
PARTS = ("web", "ssh", "all")


@pytest.fixture
def machine(tmp_path: Path, server: NameServer) -> Installation:
    return place(Installation(tmp_path, server), TEXT)


def place(machine: Installation, text: str) -> Installation:
    for name in PARTS:
        text = text.replace(name.upper(), str(machine.folder / f"{name}.txt"))
    text = text.replace("SERVER", f'"{machine.server}"').replace("STATE", str(machine.state))
    machine.path.write_text(text)
    machine.path.chmod(0o600)
    machine.freeze = True
    return machine


def held(machine: Installation, name: str) -> list[str]:
    lines = (machine.folder / f"{name}.txt").read_text().splitlines()
    return [one for one in lines if one and not one.startswith("#")]


def test_both_halves_run_and_hold_what_the_single_machine_held(
    machine: Installation, tmp_path: Path
) -> None:
    assert machine("apply").code == 0
    before = {name: held(machine, name) for name in PARTS}
    single = machine.path.read_text()
    store, halves = tmp_path / "store", tmp_path / "halves"
    store.mkdir()
    done = machine("fleet split", str(halves), "--name", "home", "--store", str(store))
    assert (done.code, done.err) == (0, "")
    assert "publisher.yaml as its configuration" in " ".join(done.out.split())
    assert machine.path.read_text() == single
    assert {one.name: one.stat().st_mode & 0o777 for one in halves.iterdir()} == {
        "publisher.yaml": 0o600, "follower.yaml": 0o600, "signing.key": 0o600,
    }  # fmt: skip
    key = halves / "signing.key"
    publisher = (halves / "publisher.yaml").read_text()
    machine.path.write_text(publisher.replace("/etc/allowsync/signing.key", str(key)))
    done = machine("apply")
    assert (done.code, done.err) == (0, "")
    assert {one.stem for one in store.iterdir()} == set(PARTS)
    asked = len(machine.server.asked)
    follower = (halves / "follower.yaml").read_text()
    machine.path.write_text(follower.replace(str(machine.state), str(tmp_path / "other.db")))
    for name in PARTS:
        (machine.folder / f"{name}.txt").unlink()
    done = machine("apply")
    assert done.code == 0
    assert (
        f"other.db: knows of no run: the state was {machine.state}" in done.err
    )  # one machine here
    assert {name: held(machine, name) for name in PARTS} == before
    assert len(machine.server.asked) == asked


def test_comments_and_all_else_stay(machine: Installation, tmp_path: Path) -> None:
    single = machine.path.read_text()
    halves = tmp_path / "halves"
    etcd = ("--etcd", "https://a.example:2379", "--etcd", "https://b.example:2379")
    assert machine("fleet split", str(halves), "--name", "home", *etcd).code == 0
    publisher = (halves / "publisher.yaml").read_text().splitlines()
    assert [one for one in single.splitlines() if one not in publisher] == [
        next(one for one in single.splitlines() if one.startswith("  all: "))
    ]
    follower = (halves / "follower.yaml").read_text()
    for kept in ("# friends", "  # both", "# at home", "# the end"):
        assert kept in follower
    assert "alice" not in follower
    assert follower.count("follow: true") == len(PARTS)
    assert 'endpoints: ["https://a.example:2379", "https://b.example:2379"]' in follower
    assert "user: allowsync-applier" in follower
    assert "user: allowsync-resolver" in "\n".join(publisher)


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ((), 2, "expected one of --store and --etcd"),
        (("--store", "/x", "--etcd", "https://a"), 2, "expected one of --store and --etcd"),
        (("--etcd", "https://a", "--url", "https://b"), 2, "--url needs --store"),
        (("--store", "/x", "--url", "ftp://b"), 2, "fleet.store.https.url"),
    ],
)
def test_what_cannot_be_writes_nothing(
    machine: Installation, tmp_path: Path, arguments: tuple[str, ...], code: int, why: str
) -> None:
    halves = tmp_path / "halves"
    done = machine("fleet split", str(halves), "--name", "home", *arguments)
    assert done.code == code
    assert why in " ".join(done.err.split())
    assert not halves.exists()


def test_a_folder_that_is_there_stays(machine: Installation, tmp_path: Path) -> None:
    done = machine("fleet split", str(tmp_path), "--name", "home", "--store", "/x")
    assert done.code == 1
    assert "File exists; name a folder that is not there yet" in " ".join(done.err.split())
    assert not (tmp_path / "signing.key").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fleet: {name: x}\nallowlists: {}\n", "there is such a section already"),
        ("hosts: {a: b.c}\n", "expected a mapping that is written out"),
        ("allowlists: {web: &a {targets: []}, ssh: *a}\n", "ssh: expected a mapping"),
        ("allowlists: {web: {follow: true, targets: []}}\n", "web.follow: it is of a fleet"),
    ],
)
def test_a_text_that_cannot_be_split_is_refused(text: str, why: str) -> None:
    with pytest.raises(UneditableError, match=why):
        split(text, {"name": "home"}, {"name": "home"})


def test_a_configuration_in_braces_is_split_as_well() -> None:
    halves = split(
        '{"hosts": {"a": "a.example.org"}, "allowlists": {"web": {"targets": []}}}',
        {"name": "home"},
        {"name": "home"},
    )
    assert halves.publisher == (
        '{"hosts": {"a": "a.example.org"}, '
        '"allowlists": {"web": {"targets": [], publish: true}}, fleet: {name: home}}'
    )
    assert halves.follower == (
        '{"allowlists": {"web": {"targets": [], follow: true}}, fleet: {name: home}}'
    )


def test_a_list_without_hosts_anywhere_has_no_line_to_take_out() -> None:
    halves = split("allowlists:\n  web:\n    targets: []\n", {"name": "a"}, {"name": "b"})
    assert halves.follower == (
        "allowlists:\n  web:\n    targets: []\n    follow: true\nfleet:\n  name: b\n"
    )
