"""Whole runs of the program against a list at Cloudflare: exit codes, documents, two at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare import transport

from allowsync.cli import run_command_line
from testkit.fake_cloudflare import CutConnection, FailedCall, FakeCloudflare, OperationDelay
from testkit.fake_dns.nameserver import NameServer
from tests.support.listener import PortListener
from tests.support.program import Installation, ProgramResult
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALICE, BOB = "81.2.69.1", "81.2.69.2"
MINE = "allowsync:web::alice"


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer({"alice.example.org": [ALICE]}) as serving:
        yield serving


def installed(
    folder: Path, fake: FakeCloudflare, server: NameServer, **more: object
) -> Installation:
    folder.mkdir(exist_ok=True)
    token = folder / "cloudflare.token"
    token.touch(mode=0o600)
    token.write_text(fake.token)
    options = {"account_id": fake.account, "list": "friends", "api_token_file": str(token)}
    target = {"cloudflare": {**options, "api_url": fake.url, **more}}
    hosts: dict[str, object] = {"alice": "alice.example.org"}
    return Installation(folder, server, hosts, {"canary": False}, targets=[target])


@pytest.fixture
def here(tmp_path: Path, fake: FakeCloudflare, server: NameServer) -> Installation:
    fake.cloud.delay = OperationDelay(polls=0)
    return installed(tmp_path / "one", fake, server)


def run(
    here: Installation, fake: FakeCloudflare, command: str = "apply --output json"
) -> ProgramResult:
    """The token is never shown, whatever happens."""
    locks = {"STATE_DIRECTORY": str(here.folder.parent)}
    done = here(command, environ=locks)
    assert fake.token not in done.out + done.err
    return done


def outcome(done: ProgramResult) -> tuple[int, str]:
    return done.code, done.document["targets"][0]["outcome"]


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    here: Installation, fake: FakeCloudflare
) -> None:
    fake.add_list("friends")
    planned = run(here, fake, "apply --dry-run --output json")
    assert outcome(planned) == (0, "planned")
    assert planned.document["targets"][0]["add"] == [{"network": f"{ALICE}/32", "hosts": ["alice"]}]
    assert fake.writes == []


def test_an_order_by_command_reaches_the_list_at_once(
    here: Installation, fake: FakeCloudflare
) -> None:
    guest = "81.2.70.7"
    assert run(here, fake).code == 0
    given = run(here, fake, f"grant {guest}")
    assert (given.code, f"+ {guest}" in given.out) == (0, True)
    assert set(fake.items("friends")) == {ALICE, guest}
    taken = run(here, fake, "revoke alice")
    assert (taken.code, f"- {ALICE}" in taken.out) == (0, True)
    assert set(fake.items("friends")) == {guest}


def test_explain_says_no_only_where_a_rule_keeps_others_out(
    here: Installation, fake: FakeCloudflare
) -> None:
    run(here, fake)
    zone = fake.add_zone("example.org")
    told = run(here, fake, f"explain {BOB} --json").document
    assert told["allowed"] == "no"
    assert "web/cloudflare: no rule uses the list friends: it has no effect" in told["reasons"]
    guard = 'http.host eq "films.example.org" and not ip.src in $friends'
    fake.add_rule(zone, guard, enabled=False)
    opened = run(here, fake, f"explain {BOB} --json")
    assert (opened.code, opened.document["allowed"]) == (1, "unknown")
    assert "is open to everyone" in opened.document["targets"][0]["reason"]
    assert run(here, fake, "explain alice --json").document["allowed"] == "yes"
    fake.add_rule(zone, guard)
    closed = run(here, fake, f"explain {BOB} --json")
    assert (closed.code, closed.document["allowed"]) == (0, "no")


def test_an_order_that_does_not_reach_the_list_is_told_and_holds_on_this_machine(
    here: Installation, fake: FakeCloudflare
) -> None:
    here.targets.append({"file": {"path": str(here.file)}})
    assert run(here, fake).code == 0
    fake.faults.add(FailedCall(403), on="lists.list", times=None)
    taken = run(here, fake, "revoke alice")
    assert (taken.code, here.allowed) == (1, [])
    assert "web/cloudflare: could not be read" in taken.err
    assert set(fake.items("friends")) == {ALICE}


def test_an_outcome_nobody_saw_is_unknown_and_settled_by_the_next_run(
    here: Installation, fake: FakeCloudflare
) -> None:
    fake.add_list("friends")
    fake.faults.add(FailedCall(502), on="items.create")
    first = run(here, fake)
    assert outcome(first) == (1, "unknown")
    reason = first.document["targets"][0]["reason"]
    assert "could not confirm the update" in reason
    assert "1 item of the list friends may still be put in" in reason
    assert outcome(run(here, fake)) == (0, "applied")
    assert fake.items("friends") == {ALICE: MINE}
    fake.forget()
    assert outcome(run(here, fake)) == (0, "unchanged")
    assert fake.writes == []
    record("faults", cases=1, lock_outs=0, strangers=0)


def test_a_lost_reply_to_a_change_that_was_made_is_no_trouble(
    here: Installation, fake: FakeCloudflare
) -> None:
    fake.add_list("friends")
    fake.cloud.delay = OperationDelay(polls=0, seconds=0.0)
    fake.faults.add(CutConnection(applied=True), on="items.create")
    assert outcome(run(here, fake)) == (0, "applied")
    assert fake.items("friends") == {ALICE: MINE}


def test_a_full_account_makes_room_for_a_friend_who_moved(
    tmp_path: Path, fake: FakeCloudflare, server: NameServer
) -> None:
    """What is new does not fit beside what is old: put in first, it would be refused for ever."""
    fake.cloud.delay = OperationDelay(polls=0)
    fake.add_list("friends", {"185.199.108.7": "by hand"})
    here = installed(tmp_path / "full", fake, server, max_items=2)
    here.policy = {"canary": False, "keep_replaced": "0s", "replaced_runs": 1}
    assert outcome(run(here, fake)) == (0, "applied")
    server.zones["alice.example.org"] = [BOB]
    fake.forget()
    moved = run(here, fake)
    assert outcome(moved) == (0, "applied")
    assert moved.document["targets"][0]["add"] == [{"network": f"{BOB}/32", "hosts": ["alice"]}]
    assert moved.document["targets"][0]["remove"] == [
        {"network": f"{ALICE}/32", "hosts": ["alice"]}
    ]
    assert [(one.name, one.status) for one in fake.writes] == [
        ("items.delete", 200), ("items.create", 200),
    ]  # fmt: skip
    assert fake.items("friends") == {"185.199.108.7": "by hand", BOB: MINE}


def in_flight_at_once(fake: FakeCloudflare) -> int:
    """How many changes of items were begun while another one was under way."""
    under_way, twice = False, 0
    for one in fake.requests:
        if one.writes and one.accepted:
            twice += under_way
            under_way = one.name.startswith("items.")
        elif one.name == "operations.get":
            under_way = json.loads(one.answer)["result"]["status"] not in ("completed", "failed")
    return twice


def test_two_processes_never_have_two_writes_in_flight(
    tmp_path: Path, fake: FakeCloudflare, server: NameServer
) -> None:
    fake.add_list("friends")
    fake.cloud.delay = OperationDelay(polls=1, seconds=None)
    both = [installed(tmp_path / one, fake, server, owner=one) for one in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda one: run(one, fake), both)
    assert {first.code, second.code} == {0}
    assert in_flight_at_once(fake) == 0
    assert [one.status for one in fake.writes] == [200, 200], "neither was refused"
    marks = "allowsync:web:one:alice", "allowsync:web:two:alice"
    assert sorted((fake.items("friends")[ALICE] or "").split()) == sorted(marks)
    record("interference", cases=1, lock_outs=0, strangers=0)


@pytest.mark.parametrize(("command", "looks"), [("apply", 1), ("status", 1), ("check", 2)])
def test_an_api_that_never_replies_is_asked_once_in_each_look(
    tmp_path: Path,
    server: NameServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    looks: int,
) -> None:
    """Each question waits as long as silence may last, here a twentieth of that."""
    monkeypatch.setattr(transport, "REPLY_TIMEOUT", 1.0)
    monkeypatch.setattr(transport, "LONGEST_SILENCE", 0.75)
    with FakeCloudflare() as fake, PortListener(silent=True) as api:
        here = installed(tmp_path / "one", fake, server, api_url=f"http://{api.place}")
        here.write()
        code = run_command_line([command, "--config", str(here.path)])
    assert code == 1
    assert len(api.heard) == looks
    assert "no reply to GET" in "".join(capsys.readouterr())
