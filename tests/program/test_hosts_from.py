"""Hosts that another program keeps in a file: whole runs, and what becomes of a file gone wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.program import Installation

NAMES = ("alice", "bob", "carol", "dave")


@pytest.fixture
def zones() -> dict[str, object]:
    return {f"{name}.example.org": [f"81.2.69.{n}"] for n, name in enumerate(NAMES, start=1)}


@pytest.fixture
def customers(here: Installation) -> Path:
    """The file, with all of them in it."""
    path = here.folder / "customers.jsonl"
    here.hosts = {"office": {"networks": ["81.2.70.0/24"]}}
    here.more = {"hosts_from": {"jsonlines": "customers.jsonl"}}
    say(path, NAMES)
    return path


def say(path: Path, names: Iterable[str]) -> None:
    lines = ({"name": name, "hostname": f"{name}.example.org"} for name in names)
    path.write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    path.chmod(0o600)


def allowed(*numbers: int) -> set[str]:
    return {"81.2.70.0/24", *(f"81.2.69.{number}/32" for number in numbers)}


def test_hosts_of_a_file_are_let_in_like_others(here: Installation, customers: Path) -> None:
    say(customers, NAMES[:2])
    done = here("apply")
    assert (done.code, done.err) == (0, "")
    assert set(here.allowed) == allowed(1, 2)
    say(customers, NAMES)
    assert here("apply").code == 0
    assert set(here.allowed) == allowed(1, 2, 3, 4)
    assert "carol.example.org" in here("explain", "81.2.69.3").out


def test_a_host_that_is_taken_out_there_goes(here: Installation, customers: Path) -> None:
    here("apply")
    say(customers, NAMES[:3])
    done = here("apply")
    assert (done.code, done.err) == (0, "")
    assert set(here.allowed) == allowed(1, 2, 3)


def test_limits_block_a_file_that_lost_most_of_its_hosts(
    here: Installation, customers: Path
) -> None:
    here("apply")
    say(customers, NAMES[:1])
    done = here("apply")
    assert done.code == 4
    assert "at most 2 of 5 hosts may lose access in one run (limits)" in done.err
    assert set(here.allowed) == allowed(1, 2, 3, 4)
    assert here("apply").code == 4
    assert here("apply --force").code == 0
    assert set(here.allowed) == allowed(1)


BROKEN = {"empty": "", "cut short": '{"name": "ali', "no JSON": "<html>", "one bad": "{}\n"}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_wrong_removes_nothing_and_stops_no_other_change(
    here: Installation, customers: Path, content: str
) -> None:
    here("apply")
    customers.write_text(content)
    here.server.zones["bob.example.org"] = ["81.2.69.20"]
    done = here("apply --output json")
    assert done.code == 3
    (problem,) = [one for one in done.document["problems"] if "customers" in one["where"]]
    assert problem["what"].endswith("the hosts that the file held before stay; repair it")
    assert set(here.allowed) == allowed(1, 2, 3, 4, 20)
    assert "repair it" in here("check --no-packets").out
    assert "repair it" in here("host list").err
    assert here("apply").code == 3
    say(customers, NAMES)
    assert here("apply").code == 0


def test_a_file_that_is_gone_removes_nothing(here: Installation, customers: Path) -> None:
    here("apply")
    customers.unlink()
    here.file.unlink()
    done = here("apply --offline")
    assert done.code == 3
    assert "customers.jsonl: file not found" in done.err
    assert set(here.allowed) == allowed(1, 2, 3, 4)


def test_without_what_was_read_before_nothing_is_touched(
    here: Installation, customers: Path
) -> None:
    here("apply")
    before = here.file.read_bytes()
    customers.write_text("")
    here.policy = {"max_addresses": 3}
    done = here("apply")
    assert done.code == 2
    assert f"{customers}: expected at least one host" in done.err.replace("\n", "")
    assert here.file.read_bytes() == before


def test_the_host_command_leaves_the_file_alone(here: Installation, customers: Path) -> None:
    content = customers.read_bytes()
    listed = here("host list --output json").document["hosts"]
    assert [one["host"] for one in listed] == ["office", *NAMES]
    added = here("host add", "carol", "carol.example.net")
    assert added.code == 2
    assert "'carol' is a duplicate" in added.err
    removed = here("host remove", "carol")
    assert removed.code == 2
    assert "'carol' is in the file of hosts_from: take it out there" in removed.err
    assert here("host remove", "mallory").code == 2
    here.freeze = True
    assert here("host add", "erin", "erin.example.org").code == 0
    assert here("host remove", "erin").code == 0
    assert customers.read_bytes() == content
