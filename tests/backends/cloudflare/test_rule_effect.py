"""What `check` says of what Cloudflare's rules do with requests, and what it does not know."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.cloudflare.rule_walk import RequestFate, fates
from allowsync_backends.cloudflare.rules_language import WebRequest, evaluate, named_networks
from allowsync_backends.cloudflare.values import PHASE, ZoneRule

from allowsync.model.target import Severity
from testkit.fake_cloudflare import Permission
from tests.support.cloudflare_targets import keep, target

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_cloudflare import FakeCloudflare

ALICE: Final = "81.2.69.1"
FILMS: Final = 'http.host eq "films.example.org"'
GUARD: Final = f"({FILMS} and not ip.src in $friends)"
PUBLIC: Final = 'starts_with(http.request.uri.path, "/public")'
SKIP: Final = {"action_parameters": {"ruleset": "current"}}
PRODUCTS: Final = {"action_parameters": {"products": ["bic", "hot"]}}
SOME: Final = {"action_parameters": {"rules": {"r": ["x"]}}}
ERROR, WARNING = Severity.ERROR, Severity.WARNING
CHALLENGED: Final = RequestFate.CHALLENGED

Rule = tuple[str, str, dict[str, object]]


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))


def found(fake: FakeCloudflare, *rules: Rule, zone: str = "example.org") -> list[tuple[str, str]]:
    """What `check` says loudly of rules in this order: its severity and its words."""
    keep(backend := target(fake), ALICE)
    where = fake.add_zone(zone)
    for expression, action, more in rules:
        fake.add_rule(where, expression, action, **more)
    loud = [one for one in backend.check() if one.severity is not Severity.INFO]
    return [(one.severity.value, one.what) for one in loud]


@pytest.mark.parametrize(
    "rules",
    [
        [(GUARD, "block", {})],
        [("not ip.src in $friends", "block", {})],
        [("ip.src in $friends", "skip", SKIP), (FILMS, "block", {})],
        [("ip.src in $friends", "skip", SKIP), ("true", "block", {})],
        [('http.host eq "open.example.org"', "skip", SKIP), (GUARD, "block", {})],
        [("true", "log", {}), (GUARD, "block", {})],
        [
            ("true", "skip", {"action_parameters": {"phases": ["http_ratelimit"]}}),
            (GUARD, "block", {}),
        ],
        [
            (
                f"({FILMS} and !(ip.src in $friends || {PUBLIC}))",
                "block",
                {},
            )
        ],
        [(f"{GUARD} and not ip.src in {{81.2.69.0/25 10.0.0.0/8 fd00::/8}}", "block", {})],
        [(f"{GUARD} and not ip.src in {{203.0.113.9}}", "log", {}), (GUARD, "block", {})],
        [
            (
                '(http.host in {"films.example.org" "a.example.org"} and not ip.src in $friends)',
                "block",
                {},
            )
        ],
        [('(http.host wildcard "*.example.org" and not ip.src in $friends)', "block", {})],
        [
            ("true", "skip", {"action_parameters": {"products": ["bic", "hot"]}}),
            (GUARD, "block", {}),
        ],
        [(GUARD, "block", {}), ("true", "skip", SKIP)],
        [(GUARD, "block", {}), (FILMS, "block", {"enabled": False})],
        [(f"{FILMS} xor ({FILMS} and ip.src in $friends)", "block", {})],
        [(f"{FILMS} and (ip.src in $friends) eq false", "block", {})],
        [(f"{FILMS} and not (ip.src in $friends or ip.src.asnum eq 64500 and false)", "block", {})],
        [('http.host ne "www.example.org" and not ip.src in $friends', "block", {})],
        [(f"not (not {FILMS} or ip.src in $friends)", "block", {})],
    ],
)
def test_rules_that_shut_out_strangers_alone_have_nothing_said_of_them(
    fake: FakeCloudflare, rules: list[Rule]
) -> None:
    assert found(fake, *rules) == []


@pytest.mark.parametrize(
    "rules",
    [
        [(GUARD, "block", {"enabled": False})],
        [(GUARD, "log", {})],
        [("ip.src in $friends", "skip", SKIP)],
        [(f"({FILMS} and ip.src in $friends)", "block", {})],
        [("true", "skip", SKIP), (GUARD, "block", {})],
        [(FILMS, "skip", {"action_parameters": {"phase": "current"}}), (GUARD, "block", {})],
        [(f"{FILMS} and not (not ip.src in $friends)", "block", {})],
        [(f"{FILMS} xor not ip.src in $friends", "block", {})],
    ],
)
def test_a_page_that_no_rule_closes_is_an_error(fake: FakeCloudflare, rules: list[Rule]) -> None:
    severity, what = found(fake, *rules)[0]
    assert severity == "error"
    assert "is open to everyone" in what


@pytest.mark.parametrize(
    ("rules", "severity", "words"),
    [
        ([(FILMS, "block", {}), (GUARD, "block", {})], "error", "is closed to those in friends"),
        ([(GUARD, "managed_challenge", {})], "warning", "are challenged only"),
        ([(FILMS, "challenge", {}), (GUARD, "block", {})], "warning", "apps cannot solve it"),
        (
            [('ip.src.country eq "DE"', "skip", SKIP), (GUARD, "block", {})],
            "warning",
            "closed to addresses outside friends is unknown",
        ),
        (
            [(FILMS, "managed_challenge", {}), (GUARD, "block", {})],
            "warning",
            "outside friends are challenged only, and get in by solving it",
        ),
        (
            [
                ("true", "skip", {"action_parameters": {"rules": {"r": ["x"]}}}),
                (GUARD, "block", {}),
            ],
            "warning",
            "closed to addresses outside friends is unknown",
        ),
        (
            [("true", "skip", {"action_parameters": {"phases": [PHASE]}}), (GUARD, "block", {})],
            "warning",
            "closed to addresses outside friends is unknown",
        ),
        (
            [(f"{GUARD} and not ip.src.asnum in {{64500 64501}}", "block", {})],
            "warning",
            "closed to addresses outside friends is unknown",
        ),
        (
            [("ip.src in {80.0.0.0/4}", "skip", SKIP), (GUARD, "block", {})],
            "error",
            "films.example.org is open to others (91.64.10.9, say)",
        ),
        (
            [(f"{GUARD} and ip.src in {{0.0.0.0/0}}", "block", {})],
            "error",
            "is open to others (2001:db8:77::77, 2601:100:10::9, 2a02:8100:10::9, say)",
        ),
        (
            [(f"{FILMS} and not ip.src in $friends or {FILMS}", "block", {})],
            "warning",
            "is unknown",
        ),
        (
            [(f'{GUARD} and http.request.uri.path eq "/\\x61"', "block", {})],
            "warning",
            "closed to addresses outside friends is unknown",
        ),
        (
            [("cf.threat_score gt 10", "block", {}), (GUARD, "block", {})],
            "warning",
            "open to all addresses in friends is unknown",
        ),
    ],
)
def test_what_befalls_friends_and_what_is_unknown_is_said(
    fake: FakeCloudflare, rules: list[Rule], severity: str, words: str
) -> None:
    (said,) = found(fake, *rules)
    assert said[0] == severity
    assert words in said[1]


@pytest.mark.parametrize(
    ("rules", "whom"),
    [
        ([("ip.src eq 198.51.101.9", "skip", SKIP), (GUARD, "block", {})], "198.51.101.9/32"),
        ([(f"{GUARD} and not ip.src in {{45.0.0.0/8}}", "block", {})], "45.0.0.0/8"),
        (
            [(f"{GUARD} and not ip.src in {{10.0.0.0/8 45.9.0.1..45.9.0.7}}", "block", {})],
            "45.9.0.1/32, 45.9.0.7/32",
        ),
        ([(f"{GUARD} and not ip.src in {{2a0e::/16 ::/0}}", "block", {})], "others"),
        (
            [(f"{GUARD} and not ip.src in {{45.1.0.0 45.2.0.0 45.3.0.0 45.4.0.0}}", "block", {})],
            "45.1.0.0/32, 45.2.0.0/32, 45.3.0.0/32 and others",
        ),
    ],
)
def test_networks_that_a_rule_names_beside_the_list_are_no_hosts_of_it(
    fake: FakeCloudflare, rules: list[Rule], whom: str
) -> None:
    ((severity, what),) = found(fake, *rules)
    assert severity == "error"
    assert what.startswith(f"films.example.org is open to {whom}")


def test_a_friend_whom_a_rule_names_is_asked_about_among_many(fake: FakeCloudflare) -> None:
    keep(backend := target(fake), *(f"81.2.69.{number}" for number in range(100, 140)))
    zone = fake.add_zone("example.org")
    fake.add_rule(zone, "ip.src in {81.2.69.138/31}")
    fake.add_rule(zone, GUARD)
    first = backend.check()[0]
    assert first.severity is Severity.ERROR
    assert first.what.startswith("films.example.org is closed to those in friends")


@pytest.mark.parametrize(
    ("paused", "status", "word"), [(True, "active", "paused"), (False, "moved", "moved")]
)
def test_rules_of_a_zone_that_is_not_active_shut_out_no_one(
    fake: FakeCloudflare, paused: bool, status: str, word: str
) -> None:
    keep(backend := target(fake), ALICE)
    zone = fake.add_zone("example.org")
    fake.cloud.zones[zone].paused, fake.cloud.zones[zone].status = paused, status
    fake.add_rule(zone, GUARD)
    first = backend.check()[0]
    assert first.severity is Severity.ERROR
    assert first.what == f"no rule of example.org has an effect: the zone is {word} at Cloudflare"


def test_a_rule_with_more_conditions_than_its_expression_is_not_known() -> None:
    request = WebRequest(ip_address("192.0.2.9"), False, "films.example.org", "/")
    more = {"exposed_credential_check": {"username_expression": "true"}}
    for raw, ends in (({}, {RequestFate.BLOCKED}), (more, set(RequestFate) - {CHALLENGED})):
        rule = ZoneRule("1", GUARD, "block", "", True, raw)
        assert fates([rule], request, "friends") == ends


def test_a_rule_in_another_zone_than_its_host_does_nothing(fake: FakeCloudflare) -> None:
    fake.add_zone("example.org")
    ((severity, what),) = found(fake, (GUARD, "block", {}), zone="example.net")
    assert (severity, what.split(":")[0]) == ("error", "films.example.org is open to everyone")


def test_a_rule_for_a_host_of_an_unseen_zone_is_unknown(fake: FakeCloudflare) -> None:
    ((severity, what),) = found(fake, (GUARD, "block", {}), zone="example.net")
    assert severity == "warning"
    assert "its zone is none that the token sees" in what


def test_a_disabled_rule_beside_one_that_works_is_a_warning(fake: FakeCloudflare) -> None:
    other = GUARD.replace("films", "photos")
    ((severity, what),) = found(fake, (GUARD, "block", {}), (other, "block", {"enabled": False}))
    assert severity == "warning"
    assert what.startswith("photos.example.org is open to everyone")


@pytest.mark.parametrize(
    ("rules", "open_beside"),
    [
        ([f'{GUARD} and http.request.uri.path eq "/admin"'], True),
        ([f'{GUARD} and http.request.uri.path eq "/admin"', GUARD], False),
        ([f'{GUARD} and http.request.uri.path ne "/health"'], False),
        ([f'{GUARD} and http.request.uri.path eq "/admin"', FILMS], False),
        ([GUARD], False),
    ],
)
def test_a_host_that_is_guarded_at_some_paths_alone_is_named(
    fake: FakeCloudflare, rules: list[str], *, open_beside: bool
) -> None:
    keep(backend := target(fake), ALICE)
    zone = fake.add_zone("example.org")
    for one in rules:
        fake.add_rule(zone, one)
    said = [one.what for one in backend.check()]
    told = "films.example.org is guarded at /admin alone: everyone reaches /"
    assert (told in said) == open_beside
    page = WebRequest(ip_address("203.0.113.9"), listed=False, host="films.example.org", path="/")
    ends = fates([ZoneRule("1", one, "block", "", True, {}) for one in rules], page, "friends")
    assert (RequestFate.PASSED in ends) == open_beside


def test_host_names_that_are_not_asked_about_are_counted(fake: FakeCloudflare) -> None:
    keep(backend := target(fake), ALICE)
    named = " ".join(f'"h{number}.example.org"' for number in range(23))
    zone = fake.add_zone("example.org")
    fake.add_rule(zone, f"http.host in {{{named}}} and not ip.src in $friends")
    finding, _ = backend.check()
    assert finding.severity is Severity.INFO
    assert "is unknown for 3 host names or paths more" in finding.what


def test_a_token_that_sees_no_rules_says_unknown(fake: FakeCloudflare) -> None:
    keep(backend := target(fake), ALICE)
    fake.refer_to("friends")
    fake.tokens[fake.token] = frozenset({Permission.LISTS_EDIT})
    (finding,) = backend.check()
    assert finding.severity is Severity.INFO
    assert "is unknown: the API token lacks a permission: Zone > Zone: Read" in finding.what


@pytest.mark.parametrize(
    ("expression", "listed", "expected"),
    [
        ("ip.src in $friends", True, True),
        ("ip.src in $others", True, None),
        ("ip.src in $friends or ip.src in $others", True, True),
        ("ip.src in $friends and ip.src in $others", False, False),
        ("not ip.src in $friends and ssl", False, None),
        ("true or true and false", True, True),
        ("true xor true and false", True, True),
        ("true xor true or false", True, False),
        ("not false and false", True, False),
        ('lower(http.host) == "a.example.org"', True, True),
        ('http.host ne "a.example.org"', True, False),
        ('http.host contains r#".exam"#', True, True),
        ('http.host strict wildcard "A.*"', True, False),
        ('http.host wildcard "A.*"', True, True),
        ('http.host matches "a"', True, None),
        ("ip.src eq 192.0.2.9", True, True),
        ("ip.src in {192.0.2.1..192.0.2.9 2001:db8::/32}", True, True),
        ("ip.src in {192.0.2.0/29}", True, False),
        ('any(http.request.headers["x"][*] == "y")', True, None),
        ('ends_with(url_decode(http.request.uri.path), "/b")', True, True),
        ("ip.src in", True, None),
        ("(true", True, None),
        ("true false", True, None),
        ("§", True, None),
        ("(" * 60 + "true" + ")" * 60, True, None),
        ('http.host eq "x\\"$friends"', True, False),
        ("ip.src in $friends_2", True, None),
        ("ip.src in $friend", True, None),
        ("not ip.src in $friends xor ip.src in $friends", False, True),
        ("not not ip.src in $friends", True, True),
        ("not (ip.src in $friends and true) or false", False, True),
        ("ip.src.asnum eq 64500", True, None),
        ("not ip.src in $friends and ip.src.asnum ne 64500", True, False),
        ("not ip.src in $friends or ip.src.asnum ne 64500", False, True),
        ("ip.src ne 192.0.2.9 xor not ip.src in $friends", False, True),
        ("ip.src in {2001:db8::/32 10.0.0.0/8} or ip.src eq 192.0.2.8", True, False),
        ("ip.src in $friends eq true", True, None),
        ("!(ip.src in $friends) && !ssl", True, False),
        ('http.host eq "\\x61.example.org"', True, None),
        ('http.request.uri.path matches "\\.jpg$" and not ip.src in $friends', True, False),
        ('http.request.full_uri wildcard "https://a.example.org/*"', True, None),
        ('http.host in {"b.example.org" r"a.example.org"}', True, True),
        ('http.host contains "EXAMPLE"', True, False),
        ('not http.host in {"b.example.org"} and true', True, True),
        ("http.host eq a.example.org", True, True),
        ("len(http.host) gt 3 or ip.src in $friends", True, True),
        ("any(ip.src in $friends)", True, None),
    ],
)
def test_an_expression_is_true_false_or_unknown(
    expression: str, listed: bool, expected: bool | None
) -> None:
    request = WebRequest(ip_address("192.0.2.9"), listed, "a.example.org", "/a/b")
    assert evaluate(expression, request, "friends") is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ip.src in {192.0.2.0/24 2001:db8::/32}", ["192.0.2.0/24", "2001:db8::/32"]),
        ("ip.src in {192.0.2.1..192.0.2.9}", ["192.0.2.1/32", "192.0.2.9/32"]),
        ("ip.src eq 192.0.2.1 and cf.threat_score gt 10", ["192.0.2.1/32"]),
        ('http.host eq "192.0.2.1"', []),
        ("§ 192.0.2.1", []),
    ],
)
def test_networks_that_an_expression_names(expression: str, expected: list[str]) -> None:
    assert list(map(str, named_networks(expression))) == expected
