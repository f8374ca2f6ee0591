"""`allowsync cloudflare rule`, on a fake account with a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare.commands.expression import blocking

from testkit.fake_cloudflare import CutConnection, Meanwhile, Permission

if TYPE_CHECKING:
    from testkit.fake_cloudflare import FakeCloudflare
    from tests.backends.cloudflare.commands.conftest import Commands

GUARD = blocking("jellyfin", ["jellyfin.example.org"], [])
MAKE = ("rule", "--list", "jellyfin", "--host", "jellyfin.example.org")


@pytest.fixture
def zone(fake: FakeCloudflare) -> str:
    fake.add_list("jellyfin", ["203.0.113.9"])
    return fake.add_zone("example.org")


def ours(fake: FakeCloudflare, zone: str) -> list[dict[str, object]]:
    return [one for one in fake.rules(zone) if one["description"] == "allowsync:jellyfin"]


def test_the_first_rule_of_a_domain_is_made(fake: FakeCloudflare, run: Commands, zone: str) -> None:
    done = run(*MAKE, "--yes")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("example.org\n  + allowsync:jellyfin: block\n")
    assert done.out.endswith("1 created; no other rule is touched\n")
    assert [(one["action"], one["expression"], one["enabled"]) for one in fake.rules(zone)] == [
        ("block", GUARD, True)
    ]


def test_a_second_time_there_is_nothing_to_do_and_nothing_is_asked(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    run(*MAKE, "--yes")
    fake.forget()
    done = run(*MAKE)
    assert (done.code, fake.writes) == (0, [])
    assert "the rule for the list jellyfin is as it should be" in done.out
    assert run.json(*MAKE).document["outcome"] == "unchanged"


def test_the_rules_of_others_stay_as_they_are(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    fake.add_rule(zone, "ip.src eq 192.0.2.1", description="mine", logging={"enabled": True})
    fake.add_rule(zone, 'http.host eq "x"', action="log", ref="hers")
    before = fake.rules(zone)
    for command in ((*MAKE,), (*MAKE, "--host", "media.example.org", "--path", "/web")):
        assert run(*command, "--yes").code == 0
        assert fake.rules(zone)[:2] == before
    assert run("rule", "--zone", "example.org", "--list", "jellyfin", "--remove", "--yes").code == 0
    assert fake.rules(zone) == before


def test_a_change_happens_in_place_and_is_shown_before(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    run(*MAKE, "--yes")
    fake.add_rule(zone, "ip.src eq 192.0.2.1", description="behind")
    fake.forget()
    more = (*MAKE, "--path", "/web")
    assert run(*more).code == 2
    document = run.json(*more, "--dry-run").document
    assert (document["outcome"], document["before"][0]["expression"]) == ("planned", GUARD)
    assert fake.writes == []
    assert run.json(*more, "--yes").document["outcome"] == "changed"
    assert [one["description"] for one in fake.rules(zone)] == ["allowsync:jellyfin", "behind"]
    assert "/web" in str(fake.rules(zone)[0]["expression"])


def test_a_rule_that_was_switched_off_is_switched_on_again(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    answer = {"response": {"status_code": 404, "content": "no", "content_type": "text/plain"}}
    fake.add_rule(
        zone, GUARD, description="allowsync:jellyfin", enabled=False, action_parameters=answer
    )
    assert "switched off" in run(*MAKE, "--dry-run").out
    assert run(*MAKE, "--yes").code == 0
    (rule,) = ours(fake, zone)
    assert (rule["enabled"], rule["action_parameters"]) == (True, answer)


def test_the_rules_of_a_domain_are_shown(fake: FakeCloudflare, run: Commands, zone: str) -> None:
    assert run("rule", "--zone", "example.org").out == "example.org has 0 custom rules\n"
    fake.add_rule(zone, "ip.src eq 192.0.2.1", action="skip", description="the office passes",
                  action_parameters={"ruleset": "current"})  # fmt: skip
    run(*MAKE, "--yes")
    done = run("rule", "--zone", "Example.org.")
    assert done.out == (
        "example.org has 2 custom rules\n"
        "  1 the office passes: skip\n"
        "      ip.src eq 192.0.2.1\n"
        "  2 allowsync:jellyfin: block\n"
        '      starts_with(lower(http.host), "jellyfin.example.org") and not ip.src in '
        "$jellyfin\n"
        "  ! an earlier rule lets requests skip the rule of jellyfin: the office passes\n"
    )
    document = run.json("rule", "--zone", "example.org").document
    assert document["schema"] == "allowsync.cloudflare.rule/1"
    assert [(one["ours"], one["lists"]) for one in document["rules"]] == [
        (False, []),
        (True, ["jellyfin"]),
    ]


def test_our_rule_is_removed_and_only_asked_for(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    run(*MAKE, "--yes")
    fake.add_rule(zone, GUARD, description="a copy by hand")
    away = ("rule", "--zone", "example.org", "--list", "jellyfin", "--remove")
    assert run(*away).code == 2
    assert run(*away, "--dry-run").out.endswith("1 to remove; no other rule is touched\n")
    assert len(ours(fake, zone)) == 1
    assert run(*away, "--yes").out.endswith("1 removed; no other rule is touched\n")
    assert [one["description"] for one in fake.rules(zone)] == ["a copy by hand"]
    assert "there is no rule of ours" in run(*away).out


def test_removing_what_guards_something_else_is_refused(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    run(*MAKE, "--host", "media.example.org", "--yes")
    done = run(*MAKE, "--remove", "--yes")
    assert done.code == 1
    assert "our rule guards something else" in done.err
    assert len(ours(fake, zone)) == 1
    assert run(*MAKE, "--host", "media.example.org", "--remove", "--yes").code == 0
    assert ours(fake, zone) == []


def test_an_empty_list_shuts_out_everybody_only_by_force(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    fake.pull("jellyfin", "203.0.113.9")
    done = run(*MAKE, "--yes")
    assert done.code == 1
    assert "the list is empty, so the rule would shut out everyone" in done.err
    assert fake.rules(zone) == []
    assert run(*MAKE, "--yes", "--force").code == 0


DENY = """\
hosts: {{alice: alice.example.org}}
allowlists: {{web: {{targets: [nftables: {{ports: [443]}}]}}}}
denylists:
  scanners:
    networks: [198.51.100.0/24]
    targets:
      - cloudflare:
          {{account_id: {account}, list: scanners, api_token_file: {token}, api_url: {url}}}
"""


def test_of_a_denylist_those_in_it_are_blocked_and_an_empty_one_shuts_out_none(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    fake.add_list("scanners", [])
    config = run.folder / "config.yaml"
    config.write_text(DENY.format(account=fake.account, token=run.token, url=fake.url))
    config.chmod(0o600)
    run.access = ["--config", str(config)]
    done = run("rule", "--list", "scanners", "--host", "jellyfin.example.org", "--yes")
    assert (done.code, done.err) == (0, "")
    (rule,) = fake.rules(zone)
    guarded = blocking("scanners", ["jellyfin.example.org"], [], listed=True)
    assert (rule["action"], rule["expression"]) == ("block", guarded)
    assert guarded.endswith(" and ip.src in $scanners")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ((), "say --zone, or --host"),
        (("--zone", "example.org", "--list", "jellyfin"), "say what to guard"),
        (("--zone", "example.org", "--host", "a.example.org"), "say --list, too"),
        (("--zone", "example.org", "--remove"), "say --list, too"),
        (("--list", "jellyfin", "--host", "a.example.net"), "sees no domain a.example.net or"),
        (("--zone", "example.org", "--list", "jellyfin", "--host", "example.net"), "is not in"),
        (("--zone", "example.com"), "the token sees no domain example.com"),
        (
            ("--zone", "example.org", "--list", "jelly", "--host", "a.example.org"),
            "no list 'jelly'",
        ),
        (("--list", "jellyfin", "--host", "*.example.org", "--path", "x"), "is not a host name"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(
    fake: FakeCloudflare, run: Commands, zone: str, typed: tuple[str, ...], said: str
) -> None:
    done = run("rule", *typed, "--yes")
    assert done.code == 2
    assert said in done.err
    assert fake.writes == []


def test_a_domain_of_another_account_is_not_touched(fake: FakeCloudflare, run: Commands) -> None:
    fake.add_list("jellyfin", ["203.0.113.9"])
    fake.add_zone("example.org", fake.add_account())
    done = run(*MAKE, "--yes")
    assert (done.code, fake.writes) == (2, [])
    assert "example.org is in another account" in done.err


def test_rules_that_changed_since_they_were_shown_are_not_touched(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    somebody = Meanwhile(lambda: fake.add_rule(zone, "ip.src eq 192.0.2.1"), after=True)
    fake.faults.add(somebody, on="entrypoint.get")
    done = run(*MAKE, "--yes")
    assert (done.code, fake.writes) == (1, [])
    assert "the rules changed meanwhile: nothing was done" in done.err


def test_a_rule_that_cannot_be_confirmed_is_said_to_be_so(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    fake.faults.add(CutConnection(applied=True), on="rulesets.create")
    done = run(*MAKE, "--yes")
    assert done.code == 1
    assert "could not confirm the change of the rules of example.org; it may be old or" in done.err
    assert run(*MAKE).out.splitlines()[1] == "  the rule for the list jellyfin is as it should be"


def test_a_missing_permission_is_named(fake: FakeCloudflare, run: Commands, zone: str) -> None:
    lists = {Permission.LISTS_READ, Permission.LISTS_EDIT}
    for more, needed in (
        (set(), "Zone > Zone: Read, on the zone"),
        ({Permission.ZONE_READ}, "Zone > Zone WAF: Read, on the zone"),
        ({Permission.ZONE_READ, Permission.WAF_READ}, "Zone > Zone WAF: Edit, on the zone"),
    ):
        fake.tokens[fake.token] = frozenset(lists | more)
        done = run(*MAKE, "--yes")
        assert done.code == 1
        assert f"the API token lacks a permission: {needed}" in done.err
    assert fake.rules(zone) == []


def test_a_plan_that_allows_no_more_rules_says_so(
    fake: FakeCloudflare, run: Commands, zone: str
) -> None:
    for number in range(5):
        fake.add_rule(zone, f"ip.src eq 192.0.2.{number}")
    done = run(*MAKE, "--yes")
    assert done.code == 1
    assert "the plan of the zone allows no more custom rules" in done.err
