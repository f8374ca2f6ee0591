"""What blocks whom: expressions, and the one rule of ours among those of others."""

from __future__ import annotations

import pytest
from allowsync_backends.cloudflare.commands import expression
from allowsync_backends.cloudflare.commands.expression import NoExpressionError, blocking
from allowsync_backends.cloudflare.commands.rule_plan import (
    AddRule,
    CreateRuleset,
    KeepRule,
    RemoveRule,
    UpdateRule,
    body,
    guarding,
    skipped_by,
    unguarding,
    wanted,
)
from allowsync_backends.cloudflare.values import Ruleset, ZoneRule
from hypothesis import given
from hypothesis import strategies as st

from testkit.fake_cloudflare.expressions import checked, references

HOST = "jellyfin.example.org"
GUARD = blocking("jellyfin", [HOST], [])


def rule(description: str, text: str = "ip.src eq 192.0.2.1", **more: object) -> ZoneRule:
    raw = {"id": description, "expression": text, "description": description, **more}
    return ZoneRule(
        description,
        text,
        str(more.get("action", "block")),
        description,
        more.get("enabled", True) is True,
        raw,
    )


def ruleset(*rules: ZoneRule) -> Ruleset:
    return Ruleset("r", "default", "http_request_firewall_custom", rules)


@pytest.mark.parametrize(
    ("hosts", "paths", "made"),
    [
        ([], [], "not ip.src in $jellyfin"),
        (
            [HOST],
            [],
            'starts_with(lower(http.host), "jellyfin.example.org") and not ip.src in $jellyfin',
        ),
        (
            ["b.example", "a.example", "b.example"],
            ["/web"],
            (
                '(starts_with(lower(http.host), "a.example") or '
                'starts_with(lower(http.host), "b.example")) and '
                'starts_with(lower(url_decode(http.request.uri.path)), "/web") and '
                "not ip.src in $jellyfin"
            ),
        ),
    ],
)
def test_an_expression_names_hosts_paths_and_the_list(
    hosts: list[str], paths: list[str], made: str
) -> None:
    assert blocking("jellyfin", hosts, paths) == made


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_host_or_path_gets_out_of_its_quotes(host: str, path: str) -> None:
    hosts, paths = [], []
    try:
        hosts = [expression.host(host)]
        paths = [expression.path(path)]
    except NoExpressionError:
        pass
    made = blocking("jellyfin", hosts, paths)
    assert checked(made, {"jellyfin": "ip"}) == made
    assert references(made) == {"jellyfin"}
    assert made.endswith("not ip.src in $jellyfin")


@given(st.text(max_size=60))
def test_a_quoted_text_is_one_literal_whatever_it_holds(text: str) -> None:
    made = f"x eq {expression.quoted(text)} and ip.src in $friends"
    assert expression.lists_in(made) == {"friends"}


def test_quotes_and_backslashes_are_escaped() -> None:
    assert expression.quoted('a"b\\c') == '"a\\"b\\\\c"'
    assert expression.path('/a"b\\c') == '/a"b\\c'


@pytest.mark.parametrize(
    "text", ["", "jellyfin", "-a.example", "a..example", "*.example.org", "a.example:443", 'a".b',
             "a.example/x", "a b.example", "a" * 64 + ".example"],
)  # fmt: skip
def test_what_is_no_host_name_is_refused(text: str) -> None:
    with pytest.raises(NoExpressionError):
        expression.host(text)


@pytest.mark.parametrize("text", ["", "web", "/a b", "/a?b", "/a#b", "/%61", "/ä", "/a\n"])
def test_what_is_no_beginning_of_a_path_is_refused(text: str) -> None:
    with pytest.raises(NoExpressionError):
        expression.path(text)


def test_names_are_compared_as_they_are_asked_for() -> None:
    assert expression.host("Bücher.Example.") == "xn--bcher-kva.example"
    assert expression.zones_of("a.b.example.org") == (
        "a.b.example.org",
        "b.example.org",
        "example.org",
    )
    assert expression.within("a.example.org", "example.org")
    assert not expression.within("badexample.org", "example.org")


def test_more_than_a_rule_can_hold_is_refused() -> None:
    with pytest.raises(NoExpressionError, match="4096"):
        blocking("jellyfin", [f"{number}.{'x' * 60}.example" for number in range(60)], [])


def test_lists_are_seen_but_not_in_quotes_and_not_the_vendors() -> None:
    text = 'http.host eq "$no \\" $no" and (ip.src in $one or ip.src in $cf.botnets)'
    assert expression.lists_in(text) == {"one"}


def test_each_situation_has_its_step() -> None:
    mine, other = rule("allowsync:jellyfin", GUARD), rule("somebody's")
    new = wanted("jellyfin", GUARD)
    for there, step in (
        (None, CreateRuleset(new)),
        (ruleset(), AddRule(ruleset(), new)),
        (ruleset(other), AddRule(ruleset(other), new)),
        (ruleset(other, mine), KeepRule(mine)),
    ):
        assert guarding(there, "jellyfin", GUARD) == step
    for changed in (
        rule("allowsync:jellyfin"),
        rule("allowsync:jellyfin", GUARD, enabled=False),
        rule("allowsync:jellyfin", GUARD, action="log"),
    ):
        there = ruleset(other, changed)
        assert guarding(there, "jellyfin", GUARD) == UpdateRule(there, changed, new)


def test_only_our_own_rules_are_removed() -> None:
    mine, copy = rule("allowsync:jellyfin", GUARD), rule("allowsync:jellyfin")
    others = (rule("allowsync:jellyfin2", GUARD), rule("", GUARD), rule("Allowsync:jellyfin"))
    there = ruleset(*others, mine, copy)
    assert unguarding(there, "jellyfin") == RemoveRule(there, (mine, copy))
    assert unguarding(there, "jellyfin", GUARD) == RemoveRule(there, (mine,))
    assert unguarding(ruleset(*others), "jellyfin") == KeepRule(None)
    assert unguarding(None, "jellyfin") == KeepRule(None)


def test_a_change_keeps_what_somebody_set_beside_the_expression() -> None:
    answer = {"response": {"status_code": 404}}
    before = rule("allowsync:jellyfin", action_parameters=answer, ref="own", version="3")
    assert body(before, wanted("jellyfin", GUARD)) == {
        "action_parameters": answer,
        "ref": "own",
        "expression": GUARD,
        "action": "block",
        "description": "allowsync:jellyfin",
        "enabled": True,
    }
    skipping = rule("allowsync:jellyfin", action="skip", action_parameters={"ruleset": "current"})
    assert "action_parameters" not in body(skipping, wanted("jellyfin", GUARD))


def test_rules_before_ours_that_skip_it_are_found() -> None:
    skip, off = rule("pass", action="skip"), rule("off", action="skip", enabled=False)
    mine, late = rule("allowsync:jellyfin", GUARD), rule("late", action="skip")
    assert skipped_by(ruleset(off, skip, mine, late), "jellyfin") == (skip,)
    assert skipped_by(None, "jellyfin") == ()
