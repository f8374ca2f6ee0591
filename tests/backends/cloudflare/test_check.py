"""What `check` says of a list at Cloudflare, and what a configuration may not say of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.model.target import Severity
from testkit.fake_cloudflare import CutConnection, Permission
from tests.support.cloudflare_targets import keep, target
from tests.support.configuring import HOSTS, problems

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync_backends.cloudflare.backend import CloudflareBackend

    from testkit.fake_cloudflare import FakeCloudflare

ALICE = "81.2.69.1"
THERE = "allowsync:jellyfin:attic:alice"


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))


def said(backend: CloudflareBackend, severity: Severity) -> list[str]:
    return [one.what for one in backend.check() if one.severity is severity]


def test_of_a_list_in_use_it_is_said_what_is_not_read(fake: FakeCloudflare) -> None:
    backend = target(fake)
    keep(backend, ALICE)
    fake.refer_to("friends")
    (finding,) = backend.check()
    assert finding.severity is Severity.INFO
    assert finding.what.startswith(
        "IP access rules, zone lockdown, rate limits, managed rules and "
    )


@pytest.mark.parametrize(
    ("permissions", "what", "advice"),
    [
        (None, "the API token is not a valid one", "it is kept where api_token_file,"),
        (
            {Permission.ZONE_READ},
            "lacks a permission: Account > Account Filter Lists",
            "Account > Account Filter Lists: Edit on that account",
        ),
    ],
)
def test_of_a_token_that_is_not_enough_it_is_said_where_it_is_kept_or_what_it_needs(
    fake: FakeCloudflare, permissions: set[Permission] | None, what: str, advice: str
) -> None:
    fake.tokens.clear()
    if permissions is not None:
        fake.tokens[fake.token] = frozenset(permissions)
    (finding,) = target(fake).check()
    assert finding.severity is Severity.ERROR
    assert what in finding.what
    assert advice in finding.advice
    assert fake.token not in finding.what + finding.advice


def test_a_wrong_account_is_an_error_that_says_where_to_find_the_right_one(
    fake: FakeCloudflare,
) -> None:
    backend = target(fake)
    fake.cloud.accounts.clear()
    (finding,) = backend.check()
    assert finding.severity is Severity.ERROR
    assert "account_id is shown beside the domain" in finding.advice


def test_a_missing_list_that_is_not_to_be_made_is_an_error(fake: FakeCloudflare) -> None:
    assert said(target(fake, create=False), Severity.ERROR) == [
        "the account has no list 'friends', and create is false: make it"
    ]
    assert said(target(fake), Severity.INFO) == ["the list friends does not exist"]


def test_a_list_of_another_kind_is_an_error(fake: FakeCloudflare) -> None:
    fake.add_list("friends", kind="asn")
    assert said(target(fake), Severity.ERROR) == [
        "the list 'friends' holds asn items, not addresses"
    ]


def test_an_unused_list_comes_with_the_command_that_uses_it(fake: FakeCloudflare) -> None:
    fake.add_list("friends", {ALICE: "allowsync:jellyfin::alice"})
    (finding,) = target(fake).check()
    assert finding.severity is Severity.WARNING
    assert finding.advice == "allowsync cloudflare rule --list friends --host NAME"


def test_an_empty_list_behind_a_rule_is_a_warning(fake: FakeCloudflare) -> None:
    fake.add_list("friends")
    fake.refer_to("friends")
    assert said(target(fake), Severity.WARNING) == [
        "the list friends is empty, and a rule uses it: it may shut out everyone"
    ]


def test_other_owners_are_named(fake: FakeCloudflare) -> None:
    fake.add_list("friends", {ALICE: f"allowsync:jellyfin::alice {THERE} allowsync:ssh::alice"})
    assert said(target(fake), Severity.INFO) == [
        "jellyfin (attic), ssh keeps items in the list friends, too, who get in"
    ]


def test_other_owners_of_an_exclusive_list_are_an_error(fake: FakeCloudflare) -> None:
    fake.add_list("friends", {ALICE: THERE})
    assert said(target(fake, exclusive=True), Severity.ERROR) == [
        "the list friends is not exclusive: jellyfin (attic) keeps items there"
    ]


def test_what_cannot_be_reached_is_an_error_and_no_exception(fake: FakeCloudflare) -> None:
    backend = target(fake)
    fake.faults.add(CutConnection(), times=None)
    assert len(said(backend, Severity.ERROR)) == 1


def allowlists(*options: str) -> str:
    account = "account_id: 0123456789abcdef0123456789abcdef, api_token_env: TOKEN"
    lines = [
        f"  list{number}: {{targets: [cloudflare: {{{account}, list: friends{one}}}]}}\n"
        for number, one in enumerate(options)
    ]
    return HOSTS + "allowlists:\n" + "".join(lines)


@pytest.mark.parametrize(
    ("options", "clash"),
    [
        (("", ""), False),
        (("", ", exclusive: true"), True),
        ((", exclusive: true", ""), True),
        ((", exclusive: true", ", exclusive: true"), True),
        ((", exclusive: true", "2"), False),
    ],
)
def test_an_exclusive_list_is_used_by_one_target_alone(
    tmp_path: Path, options: tuple[str, ...], clash: bool
) -> None:
    environ = {"HOME": "/home/somebody", "TOKEN": "x" * 40}
    found = problems(tmp_path, allowlists(*options), environ=environ)
    assert [("is already used by the target 'list0/cloudflare'" in one) for one in found] == (
        [True] * clash
    )
