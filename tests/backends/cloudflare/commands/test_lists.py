"""`allowsync cloudflare lists`, `show`, `create` and `delete`, on a fake account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import Permission

if TYPE_CHECKING:
    from testkit.fake_cloudflare import FakeCloudflare
    from tests.backends.cloudflare.commands.conftest import Commands

HELD = {
    "203.0.113.9": "added by hand",
    "198.51.100.0/24": None,
    "2001:db8:7::/64": "allowsync:jellyfin::alice",
}


def test_an_account_without_lists_says_so(run: Commands) -> None:
    done = run("lists")
    assert (done.code, done.out, done.err) == (0, "the account has no lists\n", "")
    assert run.json("lists").document == {
        "schema": "allowsync.cloudflare.lists/1",
        "exit_code": 0,
        "account": run.fake.account,
        "lists": [],
        "problems": [],
    }


def test_lists_are_shown_with_what_they_hold_and_how_many_rules_use_them(
    fake: FakeCloudflare, run: Commands
) -> None:
    fake.add_list("jellyfin", HELD, description="friends of the server")
    fake.add_list("hosts", kind="hostname")
    fake.refer_to("jellyfin")
    assert run("lists").out == (
        "hosts     hostname  0 items  0 rules\n"
        "jellyfin  ip        3 items  1 rule   friends of the server\n"
    )
    found = run.json("lists").document["lists"]
    assert [(one["name"], one["items"], one["rules"]) for one in found] == [
        ("hosts", 0, 0),
        ("jellyfin", 3, 1),
    ]


def test_a_list_is_shown_sorted_and_says_whose_each_item_is(
    fake: FakeCloudflare, run: Commands
) -> None:
    fake.add_list("jellyfin", HELD, description="friends")
    assert run("show", "jellyfin").out == (
        "jellyfin: friends (3 items, 0 rules)\n"
        "  198.51.100.0/24  by hand\n"
        "  203.0.113.9      by hand              added by hand\n"
        "  2001:db8:7::/64  jellyfin, elsewhere  allowsync:jellyfin::alice\n"
    )
    document = run.json("show", "jellyfin").document
    assert document["schema"] == "allowsync.cloudflare.show/1"
    assert [(one["network"], one["owner"]["whose"]) for one in document["items"]] == [
        ("198.51.100.0/24", "hand"),
        ("203.0.113.9/32", "hand"),
        ("2001:db8:7::/64", "elsewhere"),
    ]


def test_a_long_comment_is_one_line_in_a_pipe(fake: FakeCloudflare, run: Commands) -> None:
    fake.add_list(
        "jellyfin", {"2001:db8:1234:5678::/64": "a word or two " * 30}, description="y " * 200
    )
    for command in (("show", "jellyfin"), ("lists",)):
        lines = run(*command).out.splitlines()
        assert any("a word or two " * 29 in line or "y " * 190 in line for line in lines)


def test_nothing_that_is_stored_acts_on_a_terminal(fake: FakeCloudflare, run: Commands) -> None:
    fake.add_list("jellyfin", {"203.0.113.9": "\x1b[2Jgone\r\n"}, description="\x07")
    for done in (run("show", "jellyfin"), run("lists"), run.json("show", "jellyfin")):
        assert done.code == 0
        assert all(one.isprintable() or one == "\n" for one in done.out)


@pytest.mark.parametrize("command", ["show", "delete", "export"])
def test_a_list_that_is_not_there_is_a_usage_error_with_a_suggestion(
    fake: FakeCloudflare, run: Commands, command: str
) -> None:
    fake.add_list("jellyfin")
    done = run(command, "jellyfn")
    assert (done.code, done.out) == (2, "")
    assert "the account has no list 'jellyfn' (did you mean 'jellyfin'?)" in done.err


def test_a_list_of_something_else_is_not_taken_for_one_of_addresses(
    fake: FakeCloudflare, run: Commands
) -> None:
    fake.add_list("names", kind="hostname")
    for command in (("show", "names"), ("create", "names"), ("add", "names", "203.0.113.9")):
        done = run(*command)
        assert done.code == 2
        assert "the list 'names' holds hostname items, not addresses" in done.err


def test_a_list_is_made_once(fake: FakeCloudflare, run: Commands) -> None:
    done = run("create", "jellyfin", "--description", "friends", "--yes")
    assert (done.code, done.out) == (0, "jellyfin: created\n")
    assert fake.lists["jellyfin"].description == "friends"
    fake.forget()
    assert run("create", "jellyfin").out == "jellyfin: is there already\n"
    assert fake.writes == []
    assert run.json("create", "jellyfin").document["outcome"] == "unchanged"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("Jelly-Fin",), "'Jelly-Fin' cannot be a list's name"),
        (("j" * 51,), "cannot be a list's name"),
        (("jellyfin", "--description", "x" * 501), "at most 500 characters"),
        (("jellyfin", "--description", "two\nlines"), "one line"),
    ],
)
def test_what_a_list_cannot_be_called_is_said_before_anything_is_asked(
    fake: FakeCloudflare, run: Commands, typed: tuple[str, ...], said: str
) -> None:
    done = run("create", *typed)
    assert done.code == 2
    assert said in done.err
    assert fake.requests == []


def test_a_plan_that_allows_no_more_lists_is_a_failure(fake: FakeCloudflare, run: Commands) -> None:
    fake.add_list("other")
    done = run.json("create", "jellyfin")
    assert (done.code, done.document["exit_code"]) == (1, 1)
    assert "the plan of the account allows no more lists" in done.out
    assert "jellyfin" not in fake.lists


def test_a_list_is_deleted_after_a_question(fake: FakeCloudflare, run: Commands) -> None:
    fake.add_list("jellyfin", HELD)
    done = run("delete", "jellyfin")
    assert done.code == 2
    assert "Delete the list 'jellyfin' with 3 items?" in done.err
    assert "pass --yes" in done.err
    assert fake.writes == []
    assert run("delete", "jellyfin", "--yes").out == "jellyfin: deleted\n"
    assert fake.lists == {}


def test_a_list_in_use_is_not_deleted_and_the_rules_are_named(
    fake: FakeCloudflare, run: Commands
) -> None:
    fake.add_list("jellyfin", HELD)
    fake.add_zone("quiet.example")
    zone = fake.add_zone("example.org")
    fake.add_rule(zone, "not ip.src in $jellyfin", description="only friends")
    fake.add_rule(zone, 'http.host eq "$jellyfin"')
    fake.add_rule(zone, 'http.host eq "x" and ip.src in $jellyfin', action="log")
    done = run("delete", "jellyfin", "--yes")
    assert done.code == 1
    assert "cannot be deleted while 2 rules of the account" in done.err
    assert "used by example.org: block rule 'only friends'" in done.err
    assert "used by example.org: log rule 'http.host eq \"x\" and ip.src in $jellyfin'" in done.err
    assert done.err.count("used by") == 2
    assert fake.writes == []


def test_rules_that_the_token_may_not_see_are_said_to_be_unknown(
    fake: FakeCloudflare, run: Commands
) -> None:
    fake.add_list("jellyfin")
    fake.refer_to("jellyfin")
    fake.tokens[fake.token] = frozenset({Permission.LISTS_EDIT})
    done = run("delete", "jellyfin", "--yes")
    assert done.code == 1
    assert "cannot be deleted while 1 rule" in done.err
    assert "not all of them can be named: the API token lacks a permission" in done.err
    assert "Zone > Zone: Read" in done.err


def test_every_zone_is_looked_through_however_many_there_are(
    fake: FakeCloudflare, run: Commands
) -> None:
    fake.add_list("jellyfin")
    for number in range(50):
        fake.add_zone(f"zone{number}.example")
    fake.refer_to("jellyfin", fake.add_zone("last.example"))
    assert "used by last.example" in run("delete", "jellyfin", "--yes").err


def test_a_list_of_another_account_with_that_name_is_not_meant(
    fake: FakeCloudflare, run: Commands
) -> None:
    other = fake.add_account()
    fake.add_list("jellyfin", HELD, account=other)
    assert run("delete", "jellyfin", "--yes").code == 2
    assert len(fake.cloud.accounts[other].lists) == 1
