"""A list at Cloudflare in a run: what others hold, what goes wrong, and what is known of it."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare import marks

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.plan import Plan
from allowsync.model.target import Severity
from allowsync.model.types import Entry
from testkit.fake_cloudflare import (
    CutConnection,
    FailedCall,
    Meanwhile,
    TruncatedReply,
    Unsuccessful,
)
from testkit.fake_dns.nameserver import NameServer
from tests.support.cloudflare_targets import target
from tests.support.program import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync_backends.cloudflare.backend import CloudflareBackend

    from testkit.fake_cloudflare import FakeCloudflare

ALICE = Entry(ip_network("81.2.69.1"), ("alice",))
BOB = Entry(ip_network("2a02:8109:9a40::/64"), ("bob", "carl"))
MINE = {"81.2.69.1": "allowsync:jellyfin::alice"}


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))


@pytest.fixture
def backend(fake: FakeCloudflare) -> CloudflareBackend:
    return target(fake)


def test_items_are_marked_with_their_allowlist_and_hosts(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    backend.apply(Plan("x", add=(ALICE, BOB), repair=("no list",)))
    assert fake.items("friends") == MINE | {"2a02:8109:9a40::/64": "allowsync:jellyfin::bob:carl"}


def test_adding_comes_before_removing(fake: FakeCloudflare, backend: CloudflareBackend) -> None:
    fake.add_list("friends", MINE)
    fake.forget()
    backend.apply(Plan("x", add=(BOB,), remove=(ALICE,)))
    assert [one.name for one in fake.writes] == ["items.create", "items.delete"]
    assert list(fake.items("friends")) == ["2a02:8109:9a40::/64"]


def test_what_somebody_else_holds_is_reported_and_never_written_over(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    fake.add_list("friends", {"81.2.69.1": "by hand"})
    current = backend.read()
    assert (set(current.entries), set(current.others)) == (set(), {ALICE.network})
    with pytest.raises(
        BackendError, match="another client added 81\\.2\\.69\\.1/32 meanwhile"
    ) as caught:
        backend.apply(Plan("x", add=(ALICE,)))
    assert caught.value.again
    assert fake.writes == []


def test_an_owner_tells_machines_apart(fake: FakeCloudflare, backend: CloudflareBackend) -> None:
    attic = replace(backend, options=replace(backend.options, owner="attic"))
    backend.apply(Plan("x", add=(ALICE,), repair=("no list",)))
    attic.apply(Plan("x", add=(BOB,)))
    assert backend.read().entries == {Entry(ALICE.network)}
    assert attic.read().entries == {Entry(BOB.network)}
    backend.clear()
    assert list(fake.items("friends")) == ["2a02:8109:9a40::/64"]


def test_a_long_comment_is_shortened_between_hosts() -> None:
    hosts = [f"host-number-{number}" for number in range(60)]
    made = marks.ItemOwnership("jellyfin", "attic").added("", hosts)
    assert made.startswith("allowsync:jellyfin:attic:host-number-0:")
    assert made.endswith(":...")
    assert len(made) <= 500
    assert set(made.split(":")[3:-1]) <= set(hosts)
    assert marks.owner_of(made) == ("jellyfin", "attic")


def test_what_cannot_be_read_is_an_error_and_never_empty(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    fake.add_list("friends", MINE)
    for fault in (
        CutConnection(),
        FailedCall(500),
        TruncatedReply(),
        Unsuccessful(),
        Unsuccessful(status=401),
    ):
        fake.faults.add(fault, on="items.list", times=None)
        with pytest.raises(BackendError) as caught:
            backend.read()
        assert not isinstance(caught.value, OutcomeUnknown)
        fake.faults.clear()


def test_a_second_writer_in_between_is_noticed(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    fake.add_list("friends", MINE)
    planting = Meanwhile(lambda: fake.plant("friends", "2a02:8109:9a40::/64", "mine"))
    fake.faults.add(planting, on="items.list")
    with pytest.raises(BackendError, match="another client"):
        backend.apply(Plan("x", add=(BOB,), keep=(ALICE,)))
    assert fake.items("friends")["2a02:8109:9a40::/64"] == "mine"


def test_many_items_take_few_requests(fake: FakeCloudflare, backend: CloudflareBackend) -> None:
    fake.add_list("friends")
    many = tuple(Entry(ip_network((0x5A000000 + n, 32))) for n in range(5000))
    backend.apply(Plan("x", add=many))
    assert [one.name for one in fake.writes] == ["items.create"] * 5
    fake.forget()
    assert len(backend.read().entries) == 5000
    assert fake.asked == ["lists.list"] + ["items.list"] * 10


@pytest.mark.parametrize("create", [True, False])
def test_a_missing_list_is_made_only_where_that_is_wanted(
    fake: FakeCloudflare, backend: CloudflareBackend, create: bool
) -> None:
    backend = replace(backend, options=replace(backend.options, create=create))
    if create:
        assert backend.read().flaws == ("the list friends does not exist",)
        backend.apply(Plan("x", add=(ALICE,), repair=backend.read().flaws))
        assert fake.items("friends") == MINE
    else:
        with pytest.raises(BackendError, match="has no list 'friends', and create is false"):
            backend.read()
        backend.clear()
        assert fake.writes == []


def test_a_list_is_deleted_only_if_it_was_made_by_us_and_nobody_else_uses_it(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    backend.apply(Plan("x", add=(ALICE,), repair=("no list",)))
    fake.plant("friends", "203.0.113.9", "by hand")
    backend.clear()
    assert list(fake.items("friends")) == ["203.0.113.9"]
    fake.pull("friends", "203.0.113.9")
    zone = fake.add_zone("example.org")
    rule = fake.add_rule(zone, "not ip.src in $friends")
    backend.clear()
    assert fake.items("friends") == {}
    fake.cloud.zones[zone].rulesets.clear()
    assert rule
    backend.clear()
    assert fake.lists == {}


def test_a_list_of_something_else_is_left_alone(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    fake.add_list("friends", kind="hostname")
    for step in (backend.read, backend.clear):
        with pytest.raises(BackendError, match="holds hostname items, not addresses"):
            step()


OTHERS = "IP access rules, zone lockdown, rate limits, managed rules and rules of the account"
NOT_READ = (
    Severity.INFO,
    f"{OTHERS} are not read: whether they let others in or stop hosts is unknown",
)


def said(backend: CloudflareBackend) -> list[tuple[Severity, str]]:
    return [(one.severity, one.what) for one in backend.check()]


def test_check_says_what_is_wrong(fake: FakeCloudflare, backend: CloudflareBackend) -> None:
    assert said(backend) == [(Severity.INFO, "the list friends does not exist")]
    fake.add_list("friends", {"203.0.113.9": "by hand"})
    assert said(backend) == [
        (Severity.WARNING, "no rule uses the list friends: it has no effect"),
        (Severity.INFO, "the list friends holds 1 item of others, who get in, too"),
    ]
    fake.refer_to("friends")
    fake.pull("friends", "203.0.113.9")
    assert said(backend) == [
        (
            Severity.WARNING,
            "the list friends is empty, and a rule uses it: it may shut out everyone",
        ),
        NOT_READ,
    ]
    fake.plant("friends", "81.2.69.1", MINE["81.2.69.1"])
    assert said(backend) == [NOT_READ]
    small = replace(backend, options=replace(backend.options, max_items=1))
    full = (Severity.WARNING, "the lists of the account hold 1 of 1 items")
    assert said(small) == [full, NOT_READ]
    fake.tokens[fake.token] = frozenset()
    ((severity, what),) = said(backend)
    assert severity is Severity.ERROR
    assert "Account > Account Filter Lists: Read" in what


@pytest.fixture
def here(tmp_path: Path, fake: FakeCloudflare) -> Iterator[Installation]:
    token = tmp_path / "cloudflare.token"
    token.touch(mode=0o600)
    token.write_text(fake.token)
    options = {"account_id": fake.account, "list": "friends", "api_token_file": str(token)}
    with NameServer({"alice.example.org": ["81.2.69.1"]}) as server:
        hosts: dict[str, object] = {"alice": "alice.example.org"}
        there = {"cloudflare": {**options, "api_url": fake.url}}
        yield Installation(tmp_path, server, hosts, {"canary": False}, targets=[there])


def test_a_run_fills_the_list_and_the_next_one_only_reads(
    here: Installation, fake: FakeCloudflare, tmp_path: Path
) -> None:
    environ = {"STATE_DIRECTORY": str(tmp_path)}
    first = here("apply --output json", environ=environ)
    assert (first.code, first.document["targets"][0]["outcome"]) == (0, "applied")
    assert fake.items("friends") == {"81.2.69.1": "allowsync:web::alice"}
    fake.forget()
    again = here("apply", environ=environ)
    assert (again.code, again.out, again.err) == (0, "", "")
    assert (fake.writes, len(fake.requests)) == ([], 2)
    assert here("status", environ=environ).code == 0
    cleared = here("clear --yes", environ=environ)
    assert (cleared.code, fake.lists) == (0, {})
    assert fake.token not in json.dumps([first.out, first.err, cleared.out])


def test_the_commands_find_the_account_and_its_owners_in_the_configuration(
    here: Installation, fake: FakeCloudflare, tmp_path: Path
) -> None:
    environ = {"STATE_DIRECTORY": str(tmp_path)}
    assert here("apply", environ=environ).code == 0
    shown = here("cloudflare show friends", environ=environ)
    assert "used by web/cloudflare" in shown.out
    assert "81.2.69.1  web/cloudflare  allowsync:web::alice" in shown.out
    listed = here("cloudflare lists --output json", environ=environ).document["lists"]
    assert listed[0]["targets"] == ["web/cloudflare"]
    kept = here("cloudflare remove friends 81.2.69.1 --yes", environ=environ)
    assert kept.code == 1
    assert "81.2.69.1: web/cloudflare keeps it, so the next run there would" in kept.err
    deleted = here("cloudflare delete friends --yes", environ=environ)
    assert deleted.code == 1
    assert "web/cloudflare keeps its items there" in deleted.err
    named = here("cloudflare lists --target web/cloudflare", environ=environ)
    assert named.code == 0


def test_a_failing_api_fails_the_target_and_removes_nothing(
    here: Installation, fake: FakeCloudflare, tmp_path: Path
) -> None:
    environ = {"STATE_DIRECTORY": str(tmp_path)}
    assert here("apply", environ=environ).code == 0
    fake.tokens.clear()
    done = here("apply", environ=environ)
    assert done.code == 1
    assert "could not be read: the API token is not a valid one" in done.err
    assert f"write a valid one into {tmp_path / 'cloudflare.token'}\n" in done.err
    listed = here("cloudflare lists", environ=environ)
    assert f"write a valid one into {tmp_path / 'cloudflare.token'}\n" in listed.err
    assert fake.token not in done.out + done.err
    assert list(fake.items("friends")) == ["81.2.69.1"]
