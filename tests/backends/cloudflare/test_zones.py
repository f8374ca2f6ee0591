"""Domains and their custom rules, against the strict fake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare.errors import (
    NotFound,
    NotPermitted,
    RequestRefused,
    UnreadableReply,
)
from allowsync_backends.cloudflare.values import PHASE, NewRule
from allowsync_backends.cloudflare.zones import Zones

from testkit.fake_cloudflare import FailedCall, Permission, Unsuccessful, Wrong

if TYPE_CHECKING:
    from allowsync_backends.cloudflare.client import CloudflareClient

    from testkit.fake_cloudflare import FakeCloudflare

NOWHERE = "f" * 32
RULE = NewRule("not ip.src in $friends", "block", "ours")


@pytest.fixture
def zones(fake: FakeCloudflare, client: CloudflareClient) -> Zones:
    fake.add_list("friends")
    return Zones(client.transport)


def test_a_zone_is_found_by_its_whole_name(fake: FakeCloudflare, zones: Zones) -> None:
    zone = fake.add_zone("example.org")
    fake.add_zone("other.example")
    found = zones.find("example.org")
    assert found is not None
    assert (found.id, found.name, found.account) == (zone, "example.org", fake.account)
    assert zones.find("ample.org") is None


def test_a_zone_that_was_not_asked_for_is_not_taken(fake: FakeCloudflare, zones: Zones) -> None:
    # An API that stops heeding `name` would give all zones.
    other = {"id": NOWHERE, "name": "evil.example", "account": {"id": fake.account}}
    fake.faults.add(Wrong({"success": True, "result": [other]}), on="zones.list")
    assert zones.find("example.org") is None


@pytest.mark.parametrize("result", [5, {}, {"name": "example.org"}, [5], "example.org"], ids=repr)
def test_zones_that_are_none_are_an_error(
    fake: FakeCloudflare, zones: Zones, result: object
) -> None:
    fake.faults.add(Wrong({"success": True, "result": result}), on="zones.list")
    with pytest.raises(UnreadableReply):
        zones.find("example.org")


def test_a_zone_without_custom_rules_has_none(fake: FakeCloudflare, zones: Zones) -> None:
    assert zones.rules(fake.add_zone("example.org")) is None


@pytest.mark.parametrize(
    "fault", [FailedCall(500), Unsuccessful(), Unsuccessful(status=403)], ids=repr
)
def test_rules_that_cannot_be_read_are_not_none(
    fake: FakeCloudflare, zones: Zones, fault: FailedCall | Unsuccessful
) -> None:
    zone = fake.add_zone("example.org")
    fake.faults.add(fault, on="entrypoint.get", times=None)
    with pytest.raises(RequestRefused):
        zones.rules(zone)


def test_rules_are_made_added_changed_and_deleted(fake: FakeCloudflare, zones: Zones) -> None:
    zone = fake.add_zone("example.org")
    made = zones.create(zone, [RULE])
    assert (made.phase, [one.description for one in made.rules]) == (PHASE, ["ours"])
    added = zones.add(zone, made.id, NewRule("true", "log", "second", enabled=False))
    assert [(one.description, one.enabled) for one in added.rules] == [
        ("ours", True),
        ("second", False),
    ]
    assert added.rules[0].id == made.rules[0].id
    first = made.rules[0].id
    changed = zones.update(zone, made.id, first, NewRule("true", "block", "ours"))
    assert (changed.rules[0].id, changed.rules[0].expression) == (first, "true")
    assert zones.rules(zone) == changed
    zones.delete(zone, made.id, first)
    assert [one["description"] for one in fake.rules(zone)] == ["second"]


def test_the_rules_of_others_keep_their_place_and_all_they_hold(
    fake: FakeCloudflare, zones: Zones
) -> None:
    zone = fake.add_zone("example.org")
    fake.add_rule(zone, "ip.src eq 203.0.113.9", "block", description="theirs")
    before = fake.rules(zone)
    found = zones.rules(zone)
    assert found is not None
    added = zones.add(zone, found.id, RULE)
    zones.update(zone, found.id, added.rules[1].id, NewRule("true", "block", "ours"))
    assert fake.rules(zone)[:1] == before
    assert found.rules[0].raw == before[0]


def test_a_rule_for_a_list_that_is_not_there_is_refused(fake: FakeCloudflare, zones: Zones) -> None:
    zone = fake.add_zone("example.org")
    with pytest.raises(RequestRefused, match=r"unknown list \$family"):
        zones.create(zone, [NewRule("not ip.src in $family", "block", "ours")])
    assert fake.rules(zone) == []


def test_a_set_of_rules_is_made_once(fake: FakeCloudflare, zones: Zones) -> None:
    zone = fake.add_zone("example.org")
    zones.create(zone, [RULE])
    with pytest.raises(RequestRefused):
        zones.create(zone, [RULE])
    assert len(fake.rules(zone)) == 1


def test_what_is_not_there_is_not_found(fake: FakeCloudflare, zones: Zones) -> None:
    zone = fake.add_zone("example.org")
    made = zones.create(zone, [])
    for ruleset, rule in ((NOWHERE, NOWHERE), (made.id, NOWHERE)):
        with pytest.raises(NotFound):
            zones.update(zone, ruleset, rule, RULE)
        with pytest.raises(NotFound):
            zones.delete(zone, ruleset, rule)
    with pytest.raises(NotFound):
        zones.add(zone, NOWHERE, RULE)


def test_each_half_needs_its_permission(fake: FakeCloudflare, zones: Zones) -> None:
    zone = fake.add_zone("example.org")
    fake.tokens[fake.token] = frozenset({Permission.WAF_READ})
    assert zones.rules(zone) is None
    with pytest.raises(NotPermitted):
        zones.create(zone, [RULE])
    with pytest.raises(NotPermitted):
        zones.find("example.org")
    fake.tokens[fake.token] = frozenset({Permission.ZONE_READ})
    assert zones.find("example.org") is not None
    with pytest.raises(NotPermitted):
        zones.rules(zone)
