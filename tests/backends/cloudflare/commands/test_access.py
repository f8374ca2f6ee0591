"""Which account is meant, with which token, and whose the items are there."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare.commands.access import (
    Access,
    AccessOptions,
    NoAccessError,
    access,
)
from allowsync_backends.cloudflare.commands.owners import Claim, Owners, Whose
from allowsync_backends.cloudflare.options import API_URL, CloudflareOptions
from allowsync_backends.cloudflare.values import ListItem

from allowsync.backend.api import API, BackendType
from allowsync.config.secrets import KeptSecret, Secret
from allowsync.config.settings import Target
from allowsync.model.value import replace

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement

ONE, OTHER = "1" * 32, "2" * 32
ENVIRON = {"ONE_TOKEN": "token-of-one", "OTHER_TOKEN": "token-of-other"}


def _make(placement: Placement, options: CloudflareOptions) -> Backend:
    raise AssertionError("commands make no backend")


TYPE = BackendType("cloudflare", "", CloudflareOptions, _make, api=API)


def target(name: str, account: str = ONE, list_name: str = "friends") -> Target:
    variable = "ONE_TOKEN" if account == ONE else "OTHER_TOKEN"
    kept = KeptSecret(variable, Secret(ENVIRON[variable]))
    written = {"account_id": account, "list": list_name, "api_token_env": variable}
    options = CloudflareOptions(account, list_name, api_token_env=kept)
    return Target(name, name.partition("/")[0], TYPE, options, written)


def given(asked: AccessOptions, *targets: Target) -> Access:
    return access(asked, targets, ENVIRON)


def why_not(asked: AccessOptions, *targets: Target) -> str:
    with pytest.raises(NoAccessError) as caught:
        given(asked, *targets)
    return "\n".join(f"{one.where}: {one.what}" for one in caught.value.notices)


def test_the_one_configured_account_is_meant() -> None:
    found = given(AccessOptions(), target("jellyfin/cloudflare"), target("ssh/cloudflare"))
    assert (found.options.account_id, found.options.token.value) == (ONE, "token-of-one")
    assert [one.target for one in found.claims] == ["jellyfin/cloudflare", "ssh/cloudflare"]


def test_a_token_that_is_none_is_named_and_not_sent(tmp_path: Path) -> None:
    broken = replace(target("jellyfin/cloudflare"), broken="it is an Origin CA key")
    assert why_not(AccessOptions(), broken) == "jellyfin/cloudflare: it is an Origin CA key"
    file = tmp_path / "token"
    file.write_text("token-of-mine")
    file.chmod(0o600)
    mine = given(AccessOptions(token_file=str(file)), broken)
    assert mine.options.token.value == "token-of-mine"


def test_of_several_accounts_one_has_to_be_named() -> None:
    both = (target("jellyfin/cloudflare"), target("ssh/cloudflare", OTHER))
    assert "more than one account is configured: say --target" in why_not(AccessOptions(), *both)
    for asked in (AccessOptions(target="ssh/cloudflare"), AccessOptions(account_id=OTHER)):
        found = given(asked, *both)
        assert found.options.token.value == "token-of-other"
        assert [one.target for one in found.claims] == ["ssh/cloudflare"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (AccessOptions(), "no Cloudflare target is configured: say --account-id, and --token-file"),
        (AccessOptions(account_id=ONE), "no Cloudflare target is configured"),
        (
            AccessOptions(account_id="short", token_env="ONE_TOKEN"),
            "--account-id: expected an account id",
        ),
        (
            AccessOptions(account_id=ONE, token_env="NO_TOKEN"),
            "--token-env: 'NO_TOKEN': this environment",
        ),
        (AccessOptions(account_id=ONE, token_env="secret-9"), "not the secret itself"),
        (AccessOptions(account_id=ONE, token_file="/no/such"), "--token-file: '/no/such': "),
        (
            AccessOptions(account_id=ONE, token_env="ONE_TOKEN", api_url="http://api.example/x"),
            "--api-url: expected an https:// URL",
        ),
        (
            AccessOptions(account_id=ONE, token_env="ONE_TOKEN", token_file="/no/such"),
            "--token-file",
        ),
    ],
)
def test_what_is_not_enough_is_said(asked: AccessOptions, said: str) -> None:
    what = why_not(asked)
    assert said in what
    assert "secret-9" not in what


def test_a_target_or_account_that_is_not_configured_is_said() -> None:
    mine = target("jellyfin/cloudflare")
    assert "there are: jellyfin/cloudflare" in why_not(AccessOptions(target="ssh/cloudflare"), mine)
    assert "no target is in that account" in why_not(AccessOptions(account_id=OTHER), mine)
    both = AccessOptions(account_id=OTHER, target="jellyfin/cloudflare")
    assert "no target is in that account" in why_not(both, mine)


def test_the_command_line_is_enough_by_itself() -> None:
    found = given(AccessOptions(account_id=ONE, token_env="ONE_TOKEN"))
    assert (found.options.account_id, found.options.api_url, found.claims) == (ONE, API_URL, ())


def test_another_token_can_be_used_on_the_configured_account(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text("token-for-rules\n")
    found = given(AccessOptions(token_file=str(path)), target("jellyfin/cloudflare"))
    assert (found.options.account_id, found.options.token.value) == (ONE, "token-for-rules")
    assert [one.target for one in found.claims] == ["jellyfin/cloudflare"]


def test_targets_of_the_account_count_whichever_way_it_was_named() -> None:
    asked = AccessOptions(account_id=ONE, token_env="ONE_TOKEN")
    found = given(asked, target("jellyfin/cloudflare"), target("ssh/cloudflare", OTHER))
    assert [one.target for one in found.claims] == ["jellyfin/cloudflare"]
    assert found.owners("friends").claims == found.claims
    assert found.owners("other").claims == ()


def item(comment: str) -> ListItem:
    return ListItem("i", ip_network("203.0.113.9"), comment)


@pytest.mark.parametrize(
    ("comment", "whose", "said"),
    [
        ("", Whose.HAND, "by hand"),
        ("allowsync", Whose.HAND, "by hand"),
        ("see allowsync:jellyfin:", Whose.HAND, "by hand"),
        ("allowsync:jellyfin::alice", Whose.HERE, "jellyfin/cloudflare"),
        ("allowsync:jellyfin:attic:alice", Whose.ELSEWHERE, "jellyfin, elsewhere"),
        ("allowsync:ssh:attic:alice", Whose.HERE, "ssh/cloudflare"),
        ("allowsync:ssh::alice", Whose.ELSEWHERE, "ssh, elsewhere"),
        ("allowsync:", Whose.ELSEWHERE, "allowsync, elsewhere"),
    ],
)
def test_a_comment_says_whose_an_item_is(comment: str, whose: Whose, said: str) -> None:
    owners = Owners(
        (
            Claim("jellyfin/cloudflare", "jellyfin", "friends"),
            Claim("ssh/cloudflare", "ssh", "friends", owner="attic"),
        )
    )
    owner = owners.of(item(comment))
    assert (owner.whose, str(owner)) == (whose, said)


def test_in_an_exclusive_list_everything_belongs_to_its_target() -> None:
    owners = Owners((Claim("jellyfin/cloudflare", "jellyfin", "friends", exclusive=True),))
    assert owners.of(item("added by hand")).target == "jellyfin/cloudflare"
