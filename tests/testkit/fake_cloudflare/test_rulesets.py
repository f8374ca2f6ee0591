"""Zones, entry points and rules: nothing of others moves, and lists must be there to be named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testkit.fake_cloudflare.expressions import references

if TYPE_CHECKING:
    from testkit.fake_cloudflare import FakeCloudflare
    from tests.support.cloudflare_asking import FakeRequests

PHASE = "http_request_firewall_custom"
GATE = {"action": "block", "expression": "not ip.src in $friends", "description": "allowsync"}


@pytest.fixture
def zone(fake: FakeCloudflare) -> str:
    fake.add_list("friends")
    return fake.add_zone("media.example")


def _entry(zone: str) -> str:
    return f"/zones/{zone}/rulesets/phases/{PHASE}/entrypoint"


def _rules(zone: str, ask: FakeRequests) -> str:
    return f"/zones/{zone}/rulesets/{ask('GET', _entry(zone)).result['id']}/rules"


def _expressions(fake: FakeCloudflare, zone: str) -> list[object]:
    return [rule["expression"] for rule in fake.rules(zone)]


def test_a_zone_is_found_by_its_name(fake: FakeCloudflare, ask: FakeRequests, zone: str) -> None:
    fake.add_zone("other.example")
    found = ask("GET", "/zones?name=media.example")
    assert [(each["id"], each["name"]) for each in found.result] == [(zone, "media.example")]
    assert found.json["result_info"]["total_count"] == 1
    assert ask("GET", "/zones?name=nobody.example").result == []


def test_zones_come_in_pages(fake: FakeCloudflare, ask: FakeRequests) -> None:
    for number in range(7):
        fake.add_zone(f"zone{number}.example")
    pages = [ask("GET", f"/zones?per_page=5&page={page}") for page in (1, 2, 3)]
    assert [len(page.result) for page in pages] == [5, 2, 0]
    assert pages[0].json["result_info"]["total_pages"] == 2
    assert ask("GET", "/zones?per_page=51").status == 400


def test_a_zone_begins_without_an_entry_point(ask: FakeRequests, zone: str) -> None:
    assert ask("GET", _entry(zone)).error == (404, 10003)
    assert ask("GET", f"/zones/{zone}/rulesets").result == []
    assert ask("GET", _entry("0" * 32)).error == (404, 7003)


def test_an_entry_point_is_made_once(fake: FakeCloudflare, ask: FakeRequests, zone: str) -> None:
    body = {"name": "ours", "kind": "zone", "phase": PHASE, "rules": [GATE]}
    made = ask("POST", f"/zones/{zone}/rulesets", body).result
    assert ask("GET", _entry(zone)).result == made
    assert ask("GET", f"/zones/{zone}/rulesets/{made['id']}").result == made
    assert "rules" not in ask("GET", f"/zones/{zone}/rulesets").result[0]
    assert ask("POST", f"/zones/{zone}/rulesets", body).status == 400
    assert len(fake.rules(zone)) == 1


@pytest.mark.parametrize(
    "changed", [{"kind": "root"}, {"phase": "http_ratelimit"}, {"name": None}, {"rules": {}}]
)
def test_only_entry_points_of_custom_rules_are_made(
    ask: FakeRequests, zone: str, changed: dict[str, Any]
) -> None:
    body = {"name": "ours", "kind": "zone", "phase": PHASE, "rules": []} | changed
    sent = {key: value for key, value in body.items() if value is not None}
    assert ask("POST", f"/zones/{zone}/rulesets", sent).status == 400


def test_a_rule_that_names_a_list_is_counted_by_it(
    fake: FakeCloudflare, ask: FakeRequests, zone: str
) -> None:
    path = f"{ask.lists}/{fake.lists['friends'].id}"
    fake.add_rule(zone, 'http.host eq "x"')
    rules = _rules(zone, ask)
    made = ask("POST", rules, GATE).result["rules"][-1]
    assert ask("GET", path).result["num_referencing_filters"] == 1
    ask("DELETE", f"{rules}/{made['id']}")
    assert ask("GET", path).result["num_referencing_filters"] == 0


def test_a_new_rule_leaves_those_of_others_alone(
    fake: FakeCloudflare, ask: FakeRequests, zone: str
) -> None:
    theirs = [fake.add_rule(zone, f'http.host eq "{name}"') for name in "ab"]
    before = fake.rules(zone)
    answered = ask("POST", _rules(zone, ask), GATE).result
    assert [rule["id"] for rule in answered["rules"]][:2] == theirs
    assert fake.rules(zone)[:2] == before
    assert answered["version"] == "3"


@pytest.mark.parametrize(
    ("position", "order"),
    [
        ({"index": 1}, "gab"),
        ({"index": 2}, "agb"),
        ({"before": ""}, "gab"),
        ({"after": ""}, "abg"),
        ({"before": "b"}, "agb"),
        ({"after": "a"}, "agb"),
    ],
)
def test_a_rule_goes_where_its_position_says(
    fake: FakeCloudflare, ask: FakeRequests, zone: str, position: dict[str, Any], order: str
) -> None:
    letters = {fake.add_rule(zone, f'http.host eq "{name}"'): name for name in "ab"}
    named = {name: identifier for identifier, name in letters.items()}
    sent = {key: named.get(value, value) for key, value in position.items()}
    answered = ask("POST", _rules(zone, ask), GATE | {"position": sent}).result
    assert "".join(letters.get(rule["id"], "g") for rule in answered["rules"]) == order


@pytest.mark.parametrize(
    "position", [{}, {"index": 0}, {"index": 9}, {"before": "0" * 32}, {"top": 1}, "first"]
)
def test_a_position_that_is_none_is_refused(
    fake: FakeCloudflare, ask: FakeRequests, zone: str, position: Any
) -> None:
    fake.add_rule(zone, 'http.host eq "a"')
    assert ask("POST", _rules(zone, ask), GATE | {"position": position}).status == 400


def test_a_changed_rule_keeps_its_identifier_and_loses_what_is_left_out(
    fake: FakeCloudflare, ask: FakeRequests, zone: str
) -> None:
    rule = fake.add_rule(zone, "not ip.src in $friends", description="ours", enabled=False)
    path = f"{_rules(zone, ask)}/{rule}"
    assert ask("PATCH", path, {"enabled": True}).status == 400
    ask("PATCH", path, {"action": "log", "expression": "not ip.src in $friends"})
    (changed,) = fake.rules(zone)
    assert (changed["id"], changed["action"], changed["version"]) == (rule, "log", "2")
    assert (changed["description"], changed["enabled"]) == ("", True)


def test_a_rule_can_be_moved_as_it_is(fake: FakeCloudflare, ask: FakeRequests, zone: str) -> None:
    first, second = (fake.add_rule(zone, f'http.host eq "{name}"') for name in "ab")
    ask("PATCH", f"{_rules(zone, ask)}/{second}", {"position": {"index": 1}})
    assert [(rule["id"], rule["version"]) for rule in fake.rules(zone)] == [
        (second, "1"),
        (first, "1"),
    ]


def test_all_rules_can_be_given_anew_and_known_ones_keep_their_identifiers(
    fake: FakeCloudflare, ask: FakeRequests, zone: str
) -> None:
    theirs = fake.add_rule(zone, 'http.host eq "a"')
    gone = fake.add_rule(zone, 'http.host eq "b"')
    answered = ask("PUT", _entry(zone), {"rules": [GATE, fake.rules(zone)[0]]}).result
    assert answered["rules"][1]["id"] == theirs
    assert gone not in {rule["id"] for rule in answered["rules"]}
    unknown = GATE | {"id": "0" * 32}
    assert ask("PUT", _entry(zone), {"rules": [unknown]}).status == 400


def test_an_entry_point_is_made_by_giving_its_rules(
    fake: FakeCloudflare, ask: FakeRequests, zone: str
) -> None:
    assert ask("PUT", _entry(zone), {"rules": [GATE]}).result["version"] == "1"
    assert _expressions(fake, zone) == ["not ip.src in $friends"]


def test_a_rule_that_is_gone_is_not_found(
    fake: FakeCloudflare, ask: FakeRequests, zone: str
) -> None:
    rule = fake.add_rule(zone, 'http.host eq "a"')
    path = _rules(zone, ask)
    assert ask("DELETE", f"{path}/{rule}").result["rules"] == []
    assert ask("DELETE", f"{path}/{rule}").status == 404
    assert ask("PATCH", f"{path}/{rule}", GATE).status == 404
    assert ask("POST", f"/zones/{zone}/rulesets/{'0' * 32}/rules", GATE).status == 404


def test_a_zone_has_room_for_so_many_rules(
    fake: FakeCloudflare, ask: FakeRequests, zone: str
) -> None:
    for number in range(5):
        fake.add_rule(zone, f'http.host eq "{number}"')
    assert ask("POST", _rules(zone, ask), GATE).status == 400
    assert len(fake.rules(zone)) == 5


@pytest.mark.parametrize(
    "changed",
    [
        {"expression": "not ip.src in $foes"},
        {"expression": "not ip.src in $Friends"},
        {"expression": "not ip.src in $"},
        {"expression": "ip.src eq $friends"},
        {"expression": "http.host in $friends"},
        {"expression": "(not ip.src in $friends"},
        {"expression": "not ip.src in $friends)"},
        {"expression": 'http.host eq "x'},
        {"expression": ""},
        {"expression": "x" * 4097},
        {"expression": None},
        {"action": "allow"},
        {"action": None},
        {"enabled": "yes"},
        {"priority": 1},
    ],
)
def test_a_rule_that_cannot_work_is_refused(
    fake: FakeCloudflare, ask: FakeRequests, zone: str, changed: dict[str, Any]
) -> None:
    fake.add_rule(zone, 'http.host eq "a"')
    assert ask("POST", _rules(zone, ask), GATE | changed).status == 400
    assert len(fake.rules(zone)) == 1


@pytest.mark.parametrize(
    "expression",
    [
        "(not ip.src in $friends)",
        '(http.host eq "media.example" and not ip.src in $friends)',
        'http.host eq "a \\" $foes (" and not ip.src in $friends',
        "ip.src in $cf.open_proxies and not ip.src in $friends",
        "not ip.src in {203.0.113.7 198.51.100.0/24} and not ip.src in $friends",
    ],
)
def test_a_rule_that_can_work_is_taken(
    fake: FakeCloudflare, ask: FakeRequests, zone: str, expression: str
) -> None:
    fake.add_rule(zone, 'http.host eq "a"')
    ask("POST", _rules(zone, ask), GATE | {"expression": expression})
    assert _expressions(fake, zone)[1:] == [expression]
    assert "friends" in references(expression)
    assert "foes" not in references(expression)


def test_two_rules_cannot_have_one_ref(fake: FakeCloudflare, ask: FakeRequests, zone: str) -> None:
    fake.add_rule(zone, 'http.host eq "a"', ref="gate")
    assert ask("POST", _rules(zone, ask), GATE | {"ref": "gate"}).status == 400
