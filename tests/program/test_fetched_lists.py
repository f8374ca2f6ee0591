"""Lists that are fetched: the whole program, a web server, and every fault of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.model.value import replace
from allowsync.state.lists import list_path, read_list, write_list
from testkit.fake_dns.tls import Authority
from testkit.fake_lists import (
    ListServer,
    by_etag,
    cut,
    redirect,
    status,
    whole,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from testkit.fake_lists import ListRequest
    from tests.support.program import Installation, ProgramResult

CONTENT = b"81.2.70.0/24\n81.2.71.7\n2a01:4f8:7::/48\n"
NETWORKS = {"81.2.70.0/24", "81.2.71.7/32", "2a01:4f8:7::/48"}
ALICE = "81.2.69.1/32"
PATH = "/office.txt"


@dataclass
class Office:
    """An installation with a host that has the networks of a list, and the server of that."""

    here: Installation
    server: ListServer
    certificate: Path

    def __call__(self, command: str) -> ProgramResult:
        return self.here(command, environ={"SSL_CERT_FILE": str(self.certificate)})

    @property
    def listed(self) -> set[str]:
        return set(self.here.allowed) - {ALICE}

    def option(self, **options: object) -> None:
        self.here.more = {"lists": {"office": {"url": f"{self.server.url}{PATH}", **options}}}

    def later(self, hours: int) -> None:
        """Let everything on record of the list be older."""
        kept = read_list(self.here.state, "office")
        assert kept is not None
        assert kept.fetched is not None
        span = timedelta(hours=hours)
        fetched, tried = kept.fetched - span, kept.tried - span
        assert write_list(self.here.state, replace(kept, fetched=fetched, tried=tried))


@pytest.fixture
def office(here: Installation, tmp_path: Path) -> Iterator[Office]:
    authority = Authority(tmp_path)
    with ListServer(authority.serves("127.0.0.1")) as server:
        server.answers[PATH] = whole(CONTENT)
        here.hosts = {"office": {"lists": ["office"]}, "alice": {"networks": ["81.2.69.1"]}}
        made = Office(here, server, authority.certificate)
        made.option()
        yield made


@pytest.fixture
def settled(office: Office) -> Office:
    office("apply")
    done = office("apply")
    assert (done.code, office.listed) == (0, NETWORKS)
    return office


def test_a_list_is_fetched_after_a_run_and_counts_in_the_next(office: Office) -> None:
    first = office("apply")
    assert first.code == 3
    assert "lists.office: its networks are unknown: it was not fetched yet" in first.err
    assert "lists.office: 3 networks fetched; they count from the next run on" in first.err
    assert office.listed == set()
    assert office("apply").code == 0
    assert office.listed == NETWORKS
    third = office("apply")
    assert (third.code, third.out, third.err) == (0, "", "")
    assert len(office.server.requests) == 1


def test_no_friend_waits_for_a_list(office: Office) -> None:
    held: list[list[str]] = []

    def note(connection: socket.socket, _: ListRequest) -> None:
        held.append(office.here.allowed)
        connection.sendall(whole(CONTENT))

    office.server.answers[PATH] = note
    office("apply")
    assert held == [[ALICE]]


FAULTS = {
    "cut short": cut(CONTENT, 3),
    "a web page": whole(b"<html>sign in"),
    "to http": redirect("http://127.0.0.1/office.txt"),
    "far more": whole(b"".join(b"81.3.%d.0/25\n" % one for one in range(30))),
}


def test_no_fault_changes_the_list_in_force(settled: Office) -> None:
    for name, answer in FAULTS.items():
        settled.server.answers[PATH] = answer
        before = len(settled.server.requests)
        settled.later(25)
        done = settled("apply")
        assert settled.listed == NETWORKS, name
        assert len(settled.server.requests) > before, name
        kept = read_list(settled.here.state, "office")
        assert kept is not None
        assert kept.trouble, name
        assert done.out == "", name
    settled.server.answers[PATH] = whole(CONTENT + b"81.2.73.1\n")
    settled.later(25)
    settled("apply")
    assert settled("apply").code == 0
    assert settled.listed == {*NETWORKS, "81.2.73.1/32"}


def test_what_has_not_changed_is_not_sent_again(settled: Office) -> None:
    settled.server.answers[PATH] = by_etag(CONTENT, '"1"')
    for _ in range(2):
        settled.later(13)
        assert settled("apply").code == 0
    assert settled.server.requests[-1].headers["if-none-match"] == '"1"'
    settled.later(1)
    done = settled("apply")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert len(settled.server.requests) == 3


def test_an_old_list_is_told_and_stays(settled: Office) -> None:
    settled.server.answers[PATH] = status(500)
    for hours in (40, 24 * 13):
        settled.later(hours)
        done = settled("apply")
        assert done.code == 3
        assert "lists.office: no version newer than " in done.err
        assert "its 3 networks stay" in done.err
        assert settled.listed == NETWORKS
    assert settled("status").code == 3


def test_a_list_that_was_not_in_use_for_long_adds_nothing_and_removes_nothing(
    settled: Office,
) -> None:
    settled.here.hosts["office"] = {"networks": ["81.2.70.0/24"]}
    settled("apply")
    settled.later(24 * 30)
    settled.here.hosts["office"] = {"networks": ["81.2.70.0/24"], "lists": ["office"]}
    settled.server.answers[PATH] = status(503)
    done = settled("apply")
    assert done.code == 3
    said = "lists.office: its networks are unknown: it was unused for longer than `keep`"
    assert said in done.err
    assert settled.listed == {"81.2.70.0/24"}


def test_a_damaged_copy_is_fetched_anew_and_takes_nothing(settled: Office) -> None:
    path = list_path(settled.here.state, "office")
    path.write_bytes(path.read_bytes().replace(b"81.2.70.0/24", b"81.9.70.0/24"))
    done = settled("apply")
    assert done.code == 3
    assert "3 networks fetched" in done.err
    assert settled.listed == NETWORKS
    assert settled("apply").code == 0
    assert settled.listed == NETWORKS


@pytest.mark.parametrize("moves", [True, False])
def test_a_damaged_copy_of_a_block_list_is_fetched_anew(settled: Office, *, moves: bool) -> None:
    """Whether the run needs it, as a friend moved, or knows by another copy what is blocked."""
    here, blocked = settled.here, settled.here.folder / "blocked.txt"
    here.hosts = {"alice": {"networks": ["81.2.69.1"]}}
    here.more["denylists"] = {
        "scanners": {"lists": ["office"], "targets": [{"file": {"path": str(blocked)}}]}
    }
    assert settled("apply").code == 0
    asked, path = len(settled.server.requests), list_path(here.state, "office")
    if not moves:
        settled.later(13)
    path.write_bytes(path.read_bytes().replace(b"81.2.70.0/24", b"81.9.70.0/24"))
    here.hosts = {"alice": {"networks": ["81.2.70.1" if moves else "81.2.69.1"]}}
    assert "lists.office: 3 networks fetched" in settled("apply").err
    assert len(settled.server.requests) > asked
    done = settled("apply")
    assert (done.code, done.err) == (0, "")
    held = blocked.read_text().splitlines()
    assert {"81.2.71.7/32", "2a01:4f8:7::/48"} < set(held)
    assert ("81.2.70.0/24" in held) is not moves
    assert not any(one.startswith("81.9.") for one in held)


def test_nothing_is_fetched_offline_or_in_a_dry_run(office: Office) -> None:
    office("apply --offline")
    office("apply --dry-run")
    office("check --no-packets")
    office("status")
    assert office.server.requests == []


def test_in_clear_text_a_list_has_a_digest(here: Installation) -> None:
    here.hosts = {"office": {"lists": ["office"]}}
    with ListServer() as server:
        office = Office(here, server, Path("/nonexistent"))
        office.option(sha256=sha256(CONTENT).hexdigest())
        server.answers[PATH] = whole(CONTENT + b"81.2.73.1\n")
        assert "another sha256" in office("apply").err
        server.answers[PATH] = whole(CONTENT)
        office("apply --force")
        assert office("apply").code == 0
        assert office.listed == NETWORKS


def test_a_server_that_cannot_prove_its_address_is_not_believed(office: Office) -> None:
    office.certificate = Path("/etc/hostname")
    done = office("apply")
    assert "certificate" in done.err
    assert office.server.requests == []


@pytest.mark.root
def test_the_process_that_fetches_has_no_rights(office: Office) -> None:
    seen: list[dict[str, str]] = []

    def look(connection: socket.socket, _: ListRequest) -> None:
        mark = str(office.certificate).encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                mine = b"lists.child" in command and mark in (process / "environ").read_bytes()
                lines = (process / "status").read_text().splitlines() if mine else []
            except OSError:
                continue
            if mine:
                seen.append(dict(line.split(":\t", 1) for line in lines))
        connection.sendall(whole(CONTENT))

    office.server.answers[PATH] = look
    office("apply")
    (found,) = seen
    assert set(found["Uid"].split()) == {"65530"}
    assert set(found["Gid"].split()) == {"65530"}
    assert int(found["CapEff"], 16) == int(found["CapPrm"], 16) == int(found["CapBnd"], 16) == 0
    assert found["NoNewPrivs"] == "1"
    assert os.geteuid() == 0
