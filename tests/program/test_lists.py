"""Hosts that have the networks of a list in a file: the whole program."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from allowsync.state.lists import list_path
from tests.program.test_idle import settle
from tests.support.files import as_written

if TYPE_CHECKING:
    from tests.support.program import Installation

OFFICE = "81.2.70.0/24\n81.2.71.7 # the printer\n2a01:4f8:7::/48\n"
NETWORKS = {"81.2.70.0/24", "81.2.71.7/32", "2a01:4f8:7::/48"}


@pytest.fixture
def office(here: Installation) -> Installation:
    here.hosts = {"office": {"lists": ["office"]}, "alice": {"networks": ["81.2.69.1"]}}
    here.more = {"lists": {"office": {"file": str(here.folder / "office.txt")}}}
    say(here, OFFICE)
    return here


def say(here: Installation, content: str | bytes) -> None:
    path = here.folder / "office.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def listed(here: Installation) -> set[str]:
    return set(here.allowed) - {"81.2.69.1/32"}


def option(here: Installation, **options: object) -> None:
    lists = here.more["lists"]
    assert isinstance(lists, dict)
    lists["office"] = {"file": str(here.folder / "office.txt"), **options}


def test_a_host_has_the_networks_of_a_file(office: Installation) -> None:
    done = office("apply")
    assert (done.code, done.err) == (0, "")
    assert listed(office) == NETWORKS
    status = office("status")
    assert "3 networks published by lists.office" in status.out
    (host, _) = office("status --output json").document["hosts"]
    assert host["sources"] == [{"source": "lists.office", "networks": 3}]
    said = office("explain", "81.2.71.7").out
    assert "published by lists.office" in said
    assert office("check").out.count("lists.office") == 0


def test_a_run_that_changes_nothing_says_nothing_and_writes_no_list(office: Installation) -> None:
    settle(office)
    path = list_path(office.state, "office")
    before = as_written(path)
    done = office("apply")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert as_written(path) == before


def test_a_file_that_was_changed_counts_in_the_next_run(office: Installation) -> None:
    office("apply")
    say(office, "81.2.70.0/24\n81.2.72.0/24\n")
    said = office("apply").out
    assert "+ 81.2.72.0/24" in said
    assert "no longer among its networks" in said
    assert listed(office) == {"81.2.70.0/24", "81.2.72.0/24"}


def test_a_host_may_have_more_than_its_list(office: Installation) -> None:
    office.hosts["office"] = {
        "lists": ["office"],
        "hostname": "alice.example.org",
        "families": ["ipv4"],
    }
    office("apply")
    assert listed(office) == {"81.2.70.0/24", "81.2.71.7/32"}
    assert "81.2.69.1/32" in office.allowed


REFUSED = {
    "a web page": ("<html>81.2.70.0/24", "a web page"),
    "too wide for a host": (f"{OFFICE}81.0.0.0/12\n", "/16 is the widest that may be granted"),
    "far fewer": (
        "81.2.70.0/24\n",
        "less than half its former number (3); 'allowsync apply --force' accepts it",
    ),
}


@pytest.mark.parametrize("written", REFUSED.values(), ids=REFUSED)
def test_what_is_not_believed_changes_nothing(
    office: Installation, written: tuple[str | bytes, str]
) -> None:
    content, why = written
    office("apply")
    say(office, content)
    for _ in range(2):  # it is told as long as it is so
        done = office("apply")
        assert done.code == 3
        assert "lists.office: 3 networks of " in done.err
        assert why in done.err
        assert listed(office) == NETWORKS
    say(office, OFFICE)
    assert office("apply").code == 0


def test_check_and_status_tell_of_what_is_not_believed(office: Installation) -> None:
    office("apply")
    say(office, "<html>")
    said = "lists.office: 3 networks of "
    assert said in office("check").out
    status = office("status")
    assert (status.code, said in status.err) == (3, True)
    assert said in office("explain", "81.2.70.1").out


def test_force_takes_a_list_that_was_halved(office: Installation) -> None:
    office("apply")
    say(office, "81.2.70.0/24\n")
    assert office("apply").code == 3
    done = office("apply --force")
    assert (done.code, listed(office)) == (0, {"81.2.70.0/24"})
    assert office("apply").code == 0


def test_a_file_that_is_gone_takes_nothing(office: Installation) -> None:
    office("apply")
    (office.folder / "office.txt").unlink()
    done = office("apply")
    assert done.code == 3
    assert "which stay" in done.err
    assert "No such file" in done.err
    assert listed(office) == NETWORKS


def test_a_list_that_was_never_read_removes_and_adds_nothing(office: Installation) -> None:
    office("apply")
    list_path(office.state, "office").unlink()
    (office.folder / "office.txt").unlink()
    done = office("apply")
    assert done.code == 3
    assert "lists.office: its networks are unknown: " in done.err
    assert listed(office) == NETWORKS
    assert office("check").code == 1


@pytest.mark.parametrize("place", [10, 100, -3])
def test_what_is_damaged_is_read_anew(office: Installation, place: int) -> None:
    office("apply")
    path = list_path(office.state, "office")
    whole = bytearray(path.read_bytes())
    whole[place] ^= 1
    path.write_bytes(bytes(whole))
    done = office("apply")
    assert (done.code, done.out, listed(office)) == (0, "", NETWORKS)
    assert bytes(whole) != path.read_bytes()


def test_a_planted_copy_is_not_believed(office: Installation) -> None:
    office("apply")
    path = list_path(office.state, "office")
    path.write_text(path.read_text().replace("81.2.70.0/24", "81.2.99.0/24"))
    assert office("apply").code == 0
    assert listed(office) == NETWORKS


def test_a_dry_run_keeps_nothing(office: Installation) -> None:
    assert "+ 81.2.70.0/24" in office("apply --dry-run").out
    assert not list_path(office.state, "office").exists()


def test_a_file_that_is_written_every_day_is_old_after_three(office: Installation) -> None:
    option(office, refresh="1d")
    office("apply")
    long_ago = time.time() - 4 * 86400
    os.utime(office.folder / "office.txt", (long_ago, long_ago))
    done = office("apply")
    assert done.code == 3
    assert "lists.office: no version newer than " in done.err
    assert listed(office) == NETWORKS
    assert office("status").code == 3


def test_other_formats(office: Installation) -> None:
    option(office, format="json", field="values.cidr")
    say(office, json.dumps({"values": [{"cidr": "81.2.70.0/24"}, {"cidr": "81.2.73.1"}]}))
    office("apply")
    assert listed(office) == {"81.2.70.0/24", "81.2.73.1/32"}
    option(office, format="csv", field="net")
    say(office, "who,net\na,81.2.70.0/24\nb,81.2.74.1\n")
    office("apply")
    assert listed(office) == {"81.2.70.0/24", "81.2.74.1/32"}


def test_a_list_with_another_digest_is_refused(office: Installation) -> None:
    option(office, sha256="0" * 64)
    done = office("apply")
    assert done.code == 3
    assert "another sha256" in done.err
    assert listed(office) == set()


@pytest.mark.root
def test_root_reads_no_list_that_others_can_write(office: Installation) -> None:
    office("apply")
    say(office, OFFICE + "81.2.99.1\n")
    (office.folder / "office.txt").chmod(0o666)
    done = office("apply")
    assert done.code == 3
    assert "others may write it" in done.err
    assert listed(office) == NETWORKS


def test_a_host_may_name_a_list_and_lose_it(office: Installation) -> None:
    office("apply")
    office.hosts["office"] = {"networks": ["81.2.70.0/24"]}
    assert office("apply").code == 0
    assert listed(office) == {"81.2.70.0/24"}
