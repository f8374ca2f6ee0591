"""`allowsync cloudflare add` and `remove`, on a fake account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import (
    CutConnection,
    FailedCall,
    Meanwhile,
    OperationFails,
    RateLimited,
    TruncatedReply,
    Unsuccessful,
)

if TYPE_CHECKING:
    from testkit.fake_cloudflare import FakeCloudflare
    from tests.backends.cloudflare.commands.conftest import Commands

MARKED = "allowsync:jellyfin::alice"


@pytest.fixture(autouse=True)
def friends(fake: FakeCloudflare) -> None:
    fake.add_list("friends", {"203.0.113.9": "by hand", "2001:db8:7::/64": MARKED})


def test_addresses_are_added_with_a_comment(fake: FakeCloudflare, run: Commands) -> None:
    done = run("add", "friends", "198.51.100.7", "2001:db8:9::/48", "--comment", "the office")
    assert done.code == 0
    assert done.out == (
        "friends\n"
        "  + 198.51.100.7            the office\n"
        "  + 2001:db8:9::/48         the office\n"
        "  2 added\n"
    )
    assert fake.items("friends")["198.51.100.7"] == "the office"
    assert len(fake.items("friends")) == 4


def test_what_is_there_keeps_its_comment_and_nothing_is_written(
    fake: FakeCloudflare, run: Commands
) -> None:
    done = run.json("add", "friends", "203.0.113.9/32", "2001:DB8:7::/64", "203.0.113.9")
    assert done.document["outcome"] == "unchanged"
    assert done.document["unchanged"] == 2
    assert fake.writes == []


def test_another_comment_takes_a_question(fake: FakeCloudflare, run: Commands) -> None:
    typed = ("add", "friends", "203.0.113.9", "--comment", "new")
    assert run(*typed).code == 2
    assert fake.writes == []
    done = run.json(*typed, "--yes")
    assert done.document["comment"] == [
        {"network": "203.0.113.9/32", "comment": "new", "before": "by hand"}
    ]
    assert fake.items("friends")["203.0.113.9"] == "new"


@pytest.mark.parametrize(
    "typed",
    [
        ("add", "friends", "2001:db8:7::/64", "--comment=mine"),
        ("remove", "friends", "2001:db8:7::/64"),
    ],
)
def test_what_an_allowlist_keeps_is_only_touched_by_force(
    fake: FakeCloudflare, run: Commands, typed: tuple[str, ...]
) -> None:
    done = run.json(*typed, "--yes")
    assert (done.code, done.document["exit_code"]) == (1, 1)
    assert "2001:db8:7::/64: jellyfin, elsewhere keeps it" in done.out
    assert "--force" in done.out
    assert fake.writes == []
    assert run(*typed, "--yes", "--force").code == 0
    assert fake.items("friends").get("2001:db8:7::/64") != MARKED


def test_a_comment_that_would_make_it_an_allowlists_is_not_taken(
    fake: FakeCloudflare, run: Commands
) -> None:
    done = run("add", "friends", "198.51.100.7", "--comment", MARKED)
    assert done.code == 1
    assert "makes it an allowlist's" in done.err
    assert fake.writes == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("0.0.0.0/0", "is too wide: a list takes /8 and narrower"),
        ("2000::/11", "is too wide: a list takes /12 and narrower"),
        ("198.51.100.7/24", "did you mean 198.51.100.0/24 (all of it) or 198.51.100.7/32"),
        ("010.0.0.1", "is not an address"),
        ("fe80::1%eth0", "is not an address"),
        ("alice.example.org", "is not an address"),
        ("198.51.100.7/255.255.255.255", "is not an address"),
        ("", "is not an address"),
        ("\x1b[2J", "is not an address"),
    ],
)
@pytest.mark.parametrize("command", ["add", "remove"])
def test_what_is_no_address_is_said_before_anything_is_asked(
    fake: FakeCloudflare, run: Commands, command: str, address: str, said: str
) -> None:
    done = run(command, "friends", address)
    assert (done.code, fake.requests) == (2, [])
    assert said in done.err
    assert "\x1b" not in done.err


def test_every_wrong_address_is_named_at_once(run: Commands) -> None:
    done = run.json("add", "friends", "one", "198.51.100.7", "two")
    assert [one["what"].split()[0] for one in done.document["problems"]] == ["'one'", "'two'"]


@pytest.mark.parametrize("comment", ["x" * 501, "two\nlines", "\x1b[2J"])
def test_a_comment_is_one_short_line(fake: FakeCloudflare, run: Commands, comment: str) -> None:
    assert run("add", "friends", "198.51.100.7", "--comment", comment).code == 2
    assert fake.requests == []


def test_a_dry_run_only_shows(fake: FakeCloudflare, run: Commands) -> None:
    done = run("add", "friends", "198.51.100.7", "--dry-run")
    assert (done.code, done.out.splitlines()[-1]) == (0, "  1 to add")
    assert (
        run.json("remove", "friends", "203.0.113.9", "--dry-run").document["outcome"] == "planned"
    )
    assert fake.writes == []


def test_addresses_are_removed_after_a_question(fake: FakeCloudflare, run: Commands) -> None:
    assert run("remove", "friends", "203.0.113.9").code == 2
    assert fake.writes == []
    done = run("remove", "friends", "203.0.113.9", "192.0.2.1", "--yes")
    assert done.out == (
        "friends\n  - 203.0.113.9             by hand\n  1 removed, 1 not in the list\n"
    )
    assert list(fake.items("friends")) == ["2001:db8:7::/64"]


def test_an_address_inside_a_network_of_the_list_is_not_that_network(
    fake: FakeCloudflare, run: Commands
) -> None:
    done = run.json("remove", "friends", "2001:db8:7::1", "--yes")
    assert done.document["missing"] == ["2001:db8:7::1/128"]
    assert fake.writes == []


def test_a_list_that_rules_use_is_only_emptied_by_force(
    fake: FakeCloudflare, run: Commands
) -> None:
    fake.refer_to("friends")
    fake.pull("friends", "2001:db8:7::/64")
    done = run("remove", "friends", "203.0.113.9", "--yes")
    assert done.code == 1
    assert "the list would be empty, and 1 rule may shut out everyone" in done.err
    assert fake.writes == []
    assert run("remove", "friends", "203.0.113.9", "--yes", "--force").code == 0
    assert fake.items("friends") == {}


def test_what_changed_since_it_was_shown_is_not_done(fake: FakeCloudflare, run: Commands) -> None:
    def somebody() -> None:
        fake.plant("friends", "198.51.100.7", "somebody else was faster")

    # After the first look, before the second.
    fake.faults.add(Meanwhile(somebody, after=True), on="items.list")
    done = run("add", "friends", "198.51.100.7", "--comment", "mine")
    assert done.code == 1
    assert "changed meanwhile: nothing was done" in done.err
    assert fake.writes == []


@pytest.mark.parametrize(
    ("fault", "on", "said"),
    [
        (CutConnection(), "items.create", "could not confirm the change of the list 'friends'"),
        (FailedCall(502), "items.create", "could not confirm the change of the list 'friends'"),
        (TruncatedReply(), "items.create", "could not confirm the change of the list 'friends'"),
        (
            OperationFails(),
            "items.create",
            "was not changed, or only in part: the operation failed",
        ),
        (Unsuccessful(), "items.create", "was not changed, or only in part: the API refuses"),
    ],
)
def test_what_went_wrong_is_said_as_it_is_known(
    fake: FakeCloudflare, run: Commands, fault: object, on: str, said: str
) -> None:
    fake.faults.add(fault, on=on)  # type: ignore[arg-type]
    done = run.json("add", "friends", "198.51.100.7")
    assert (done.code, done.document["exit_code"]) == (1, 1)
    assert said in done.document["problems"][0]["what"]
    assert set(done.document) == {"schema", "exit_code", "problems"}


def test_a_refusal_for_now_is_waited_out(fake: FakeCloudflare, run: Commands) -> None:
    fake.faults.add(RateLimited(), on="items.create")
    assert run("add", "friends", "198.51.100.7").code == 0
    assert "198.51.100.7" in fake.items("friends")


def test_many_items_take_few_requests(fake: FakeCloudflare, run: Commands) -> None:
    networks = [f"10.{one // 250}.{one % 250}.0/24" for one in range(1203)]
    assert run("add", "friends", *networks).code == 0
    assert len(fake.items("friends")) == 1205
    assert [one.name for one in fake.writes] == ["items.create", "items.create"]
    assert run("remove", "friends", *networks, "--yes").code == 0
    assert len(fake.items("friends")) == 2
