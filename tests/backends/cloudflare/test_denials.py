"""A list of a denylist at Cloudflare: what it holds, beside whom, and what its rules are to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError
from allowsync.model.target import Effect, Severity
from tests.support.cloudflare_targets import held, keep, target
from tests.support.configuring import HOSTS, problems

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync_backends.cloudflare.backend import CloudflareBackend

    from testkit.fake_cloudflare import FakeCloudflare

BLOCKED, MORE = "198.51.100.0/24", "203.0.113.7"
ERROR, WARNING = Severity.ERROR, Severity.WARNING


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))


@pytest.fixture
def backend(fake: FakeCloudflare) -> CloudflareBackend:
    return target(fake, "scanners", effect=Effect.DENY)


def test_it_holds_what_is_blocked_beside_what_was_put_there_by_hand(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    fake.add_list("friends", {"192.0.2.9": "by hand"})
    assert held(keep(backend, BLOCKED, MORE, host="")) == {BLOCKED, MORE}
    assert held(keep(backend, MORE, host="")) == {MORE}
    assert held(keep(backend)) == set()
    assert fake.items("friends") == {"192.0.2.9": "by hand"}


def test_an_allowlists_items_are_never_blocked_with_it(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    keep(backend, BLOCKED)
    there = {MORE: "allowsync:jellyfin:attic:alice"}
    fake.plant("friends", *next(iter(there.items())))
    with pytest.raises(BackendError, match="holds items of jellyfin: a denylist needs a list of"):
        backend.read()
    backend.clear()
    assert fake.items("friends") == there


@pytest.mark.parametrize("exclusive", [False, True])
def test_what_was_blocked_is_let_in_by_no_allowlist_of_that_name_nor_the_other_way_round(
    fake: FakeCloudflare, *, exclusive: bool
) -> None:
    """The state is lost, and what a run finds there is all that it knows of it."""
    fake.add_list("friends", {} if exclusive else {"192.0.2.9": "by hand"})
    denying = target(fake, "scanners", effect=Effect.DENY, exclusive=exclusive)
    allowing = target(fake, "scanners", exclusive=exclusive)
    by_hand = fake.items("friends")
    keep(denying, BLOCKED, MORE, host="")
    for now, wanted in ((allowing, MORE), (denying, BLOCKED), (allowing, "192.0.2.1")):
        current = now.read()
        assert held(current) == set()
        assert current.flaws == (
            "the list friends holds items of ours that had the opposite effect",
        )
        current = keep(now, wanted, host="alice" if now is allowing else "")
        assert (held(current), current.flaws) == ({wanted}, ())
        assert fake.items("friends").keys() == {wanted, *by_hand}
    denying.clear()
    assert fake.items("friends") == by_hand


def test_no_allowlist_of_the_configuration_has_the_list(tmp_path: Path) -> None:
    at = "{account_id: 0123456789abcdef0123456789abcdef, list: one, api_token_env: T}"
    text = (
        f"{HOSTS}allowlists: {{web: {{targets: [cloudflare: {at}]}}}}\n"
        f"denylists: {{bad: {{networks: [{BLOCKED}], targets: [cloudflare: {at}]}}}}\n"
    )
    assert any(
        "is already used by the target 'web/cloudflare'" in one for one in problems(tmp_path, text)
    )


@pytest.mark.parametrize(
    ("rule", "action", "said"),
    [
        ("ip.src in $friends", "block", []),
        ('http.host eq "a.example.org" and ip.src in $friends', "block", []),
        (
            "not ip.src in $friends",
            "block",
            [(ERROR, "any.example.org is open to those in friends")],
        ),
        ("ip.src in $friends", "log", [(ERROR, "any.example.org is open to those in friends")]),
        (
            "ip.src in $friends",
            "managed_challenge",
            [(WARNING, "any.example.org")],
        ),
    ],
)
def test_check_says_who_is_not_blocked(
    fake: FakeCloudflare,
    backend: CloudflareBackend,
    rule: str,
    action: str,
    said: list[tuple[Severity, str]],
) -> None:
    keep(backend, BLOCKED)
    fake.add_rule(fake.add_zone("example.org"), rule, action)
    loud = [one for one in backend.check() if one.severity is not Severity.INFO]
    assert [(one.severity, one.what.partition(":")[0]) for one in loud] == said


def loud(backend: CloudflareBackend) -> list[tuple[Severity, str]]:
    found = backend.check()
    return [(one.severity, one.what) for one in found if one.severity is not Severity.INFO]


def test_a_challenge_is_no_block(fake: FakeCloudflare, backend: CloudflareBackend) -> None:
    keep(backend, BLOCKED)
    fake.add_rule(fake.add_zone("example.org"), "ip.src in $friends", "js_challenge")
    ((severity, what),) = loud(backend)
    assert severity is WARNING
    assert what == "any.example.org: those in friends are challenged only, and get in by solving it"


def test_what_may_be_skipped_for_those_who_are_blocked_is_unknown(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    keep(backend, BLOCKED)
    zone = fake.add_zone("example.org")
    current = {"action_parameters": {"ruleset": "current"}}
    fake.add_rule(zone, 'ip.src.country eq "DE"', "skip", **current)
    fake.add_rule(zone, "ip.src in $friends", "block")
    ((severity, what),) = loud(backend)
    assert (severity, what) == (
        WARNING,
        "whether any.example.org is closed to those in friends is unknown",
    )


def test_a_rule_for_a_host_of_another_zone_blocks_no_one_there(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    keep(backend, BLOCKED)
    zone = fake.add_zone("example.org")
    fake.add_rule(zone, 'http.host eq "films.example.net" and ip.src in $friends', "block")
    ((severity, what),) = loud(backend)
    assert severity is WARNING
    assert "who gets to films.example.net is unknown: its zone is none that" in what


def test_rules_of_a_paused_zone_block_no_one(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    keep(backend, BLOCKED)
    zone = fake.add_zone("example.org")
    fake.cloud.zones[zone].paused = True
    fake.add_rule(zone, "ip.src in $friends", "block")
    said = "no rule of example.org has an effect: the zone is paused at Cloudflare"
    assert loud(backend) == [(ERROR, said)]


def test_check_knows_an_empty_list_for_harmless(
    fake: FakeCloudflare, backend: CloudflareBackend
) -> None:
    keep(backend, BLOCKED)
    keep(backend)
    fake.add_rule(fake.add_zone("example.org"), "ip.src in $friends", "block")
    assert not [one for one in backend.check() if one.severity is not Severity.INFO]
