"""Hosts put into the text of a configuration and taken out, in each form it may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.setup.host_edit import ConfigurationText, NewHost
from allowsync.setup.text_edit import UneditableError

CAROL = NewHost("carol", ("carol.example.org",))
OFFICE = NewHost("1", ("a.example.org", "b.example.org"), ("2001:db8:5::/48",), "2027-01-31")

COMMENTED = """\
# Friends.
hosts:                       # names
  alice: 'alice.example.org' # Alice's "own"

  # Bob, at his parents'
  bob:
      hostname: [bob.example.org]   # one
      families: [ipv4]
  # carol: old.example.org

allowlists:
  web:
    hosts: [ alice,bob ]   # both
    targets: [ {nftables: {ports:   [443/tcp,
                                     80/tcp]}} ]
  ssh:
    hosts:
    - alice   # first
    - "bob"
    targets: [ufw: {ports: ["22/tcp"]}]
"""


def added(text: str, host: NewHost, *on: str) -> list[str]:
    """The lines that are new, once everything else was seen to be as it was."""
    return changed(text, ConfigurationText(text).added(host, on))


def changed(before: str, after: str) -> list[str]:
    from difflib import ndiff

    return [line.rstrip("\r\n") for line in ndiff(before.splitlines(True), after.splitlines(True))
            if line[0] in "+-"]  # fmt: skip


def test_a_host_stands_behind_the_last_one_and_all_else_stays() -> None:
    assert added(COMMENTED, CAROL, "web", "ssh") == [
        "+   carol: carol.example.org",
        "-     hosts: [ alice,bob ]   # both",
        "+     hosts: [ alice,bob, carol ]   # both",
        "+     - carol",
    ]


def test_a_host_with_more_than_a_name_has_the_long_form() -> None:
    assert added(COMMENTED, OFFICE) == [
        '+   "1":',
        "+     hostname: [a.example.org, b.example.org]",
        '+     networks: ["2001:db8:5::/48"]',
        "+     until: 2027-01-31",
    ]


LISTS = "\nallowlists: {web: {targets: [file]}}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("hosts: {a: b.c}", "hosts: {a: b.c, carol: carol.example.org}", id="braces"),
        pytest.param("hosts: {a: b.c,}", "hosts: {a: b.c, carol: carol.example.org,}", id="comma"),
        pytest.param("hosts: {}", "hosts: {carol: carol.example.org}", id="empty braces"),
        pytest.param("hosts: { }  # x", "hosts: {carol: carol.example.org}  # x", id="blank"),
        pytest.param("hosts:  # x", "hosts:  # x\n  carol: carol.example.org", id="nothing"),
        pytest.param("hosts: ~ # x", "hosts: # x\n  carol: carol.example.org", id="null"),
        pytest.param("hosts: &h\n  a: b.c", "hosts: &h\n  a: b.c\n  carol: carol.example.org",
                     id="anchor"),
        pytest.param("hosts:\n    a: b.c", "hosts:\n    a: b.c\n    carol: carol.example.org",
                     id="indentation"),
        pytest.param("hosts:\n  a: |\n    b.c\n", "hosts:\n  a: |\n    b.c\n"
                     "  carol: carol.example.org\n", id="block scalar"),
        pytest.param("hosts:\n  é: b.c # ü\n  a: {hostname: b.c,\n    families: [ipv4]} # é",
                     "hosts:\n  é: b.c # ü\n  a: {hostname: b.c,\n    families: [ipv4]} # é\n"
                     "  carol: carol.example.org", id="unicode"),
        pytest.param("hosts: {\n  a: b.c, # x\n  d: e.f  # y\n}", "hosts: {\n  a: b.c, # x\n"
                     "  d: e.f,  # y\n  carol: carol.example.org\n}", id="lines in braces"),
        pytest.param('{"hosts": {\n "a": "b.c"\n}}', '{"hosts": {\n "a": "b.c",\n'
                     ' carol: carol.example.org\n}}', id="JSON"),
    ],
)  # fmt: skip
def test_a_host_is_added_in_the_form_that_hosts_have(before: str, after: str) -> None:
    rest = "" if before.startswith("{") else LISTS
    assert ConfigurationText(before + rest).added(CAROL, ()) == after + rest
    crlf = (before + rest).replace("\n", "\r\n")
    assert ConfigurationText(crlf).added(CAROL, ()) == (after + rest).replace("\n", "\r\n")


def test_hosts_that_are_missing_come_at_the_end() -> None:
    text = "# mine\nallowlists: {web: {targets: [file]}}\n"
    assert added(text, CAROL) == ["+ hosts:", "+   carol: carol.example.org"]


def test_the_last_line_may_lack_its_break() -> None:
    text = LISTS.lstrip() + "hosts:\n  a: b.c"
    assert ConfigurationText(text).added(CAROL, ()) == text + "\n  carol: carol.example.org"


SHARED = """\
hosts: {alice: a.example.org, bob: b.example.org}
allowlists:
  web: {hosts: &all [alice, bob], targets: [file]}
  ssh: {hosts: *all, targets: [file: {name: other}]}
"""


def test_a_list_that_is_shared_is_changed_for_all_or_not_at_all() -> None:
    assert added(SHARED, CAROL, "web", "ssh") == [
        "- hosts: {alice: a.example.org, bob: b.example.org}",
        "+ hosts: {alice: a.example.org, bob: b.example.org, carol: carol.example.org}",
        "-   web: {hosts: &all [alice, bob], targets: [file]}",
        "+   web: {hosts: &all [alice, bob, carol], targets: [file]}",
    ]
    with pytest.raises(UneditableError, match=r"would change other values too.*allowlists\.ssh"):
        added(SHARED, CAROL, "web")


def removed(text: str, name: str) -> list[str]:
    return changed(text, ConfigurationText(text).removed(name))


def test_a_host_goes_from_every_list_and_all_else_stays() -> None:
    assert removed(COMMENTED, "bob") == [
        "-   bob:",
        "-       hostname: [bob.example.org]   # one",
        "-       families: [ipv4]",
        "-     hosts: [ alice,bob ]   # both",
        "+     hosts: [ alice ]   # both",
        '-     - "bob"',
    ]
    assert removed(SHARED, "alice")[3] == "+   web: {hosts: &all [bob], targets: [file]}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[alice, bob, dave]", "[alice, dave]"),
        ("[bob, dave]", "[dave]"),
        ("[alice, # first\n      bob]", "[alice, # first\n      ]"),
        ("[alice, # first\n      bob, dave]", "[alice, # first\n      dave]"),
        ("[alice,\n      bob,  # second\n      dave]", "[alice,\n      dave]"),
        ("[alice, bob,\n      dave]", "[alice,\n      dave]"),
    ],
)
def test_a_comment_goes_with_what_it_stands_behind(before: str, after: str) -> None:
    text = "hosts: {alice: a.b.c, bob: b.b.c, dave: d.b.c}\nallowlists:\n  web:\n    hosts: "
    rest = "\n    targets: [file]\n"
    done = ConfigurationText(text + before + rest).removed("bob")
    assert done.partition("hosts: ")[2].partition("hosts: ")[2] == after + rest


def test_what_others_need_stays() -> None:
    text = (
        "hosts:\n  alice: &a {hostname: a.b.c}\n  bob: *a\nallowlists: {web: {targets: [file]}}\n"
    )
    with pytest.raises(UneditableError, match="no anchor before it"):
        ConfigurationText(text).removed("alice")
    assert removed(text, "bob") == ["-   bob: *a"]
    with pytest.raises(UneditableError, match="hosts: 'alice': it is the only one there"):
        ConfigurationText("hosts: {alice: a.b.c}\nallowlists: {}").removed("alice")


@pytest.mark.parametrize("text", ["", "- a", "hosts: [", "a: &x {b: *x}"])
def test_what_is_no_configuration_is_not_edited(text: str) -> None:
    with pytest.raises(UneditableError):
        ConfigurationText(text)


LABELS = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,7}", fullmatch=True)
BLANK = st.sampled_from(["", "\n", "  # a comment\n", "\n# x\n\n"])


@given(st.lists(LABELS, min_size=1, unique=True), LABELS, BLANK, st.booleans())
def test_what_is_added_and_removed_again_leaves_no_trace(
    names: list[str], new: str, between: str, short: bool
) -> None:
    others = [one for one in names if one != new] or ["other" if new != "other" else "another"]
    lines = "".join(f'  "{one}": x.example.org\n{between}' for one in others)
    text = f"hosts:\n{lines}allowlists: {{web: {{targets: [file]}}}}\n"
    host = NewHost(new, ("y.example.org",), () if short else ("198.51.100.0/24",))
    with_host = ConfigurationText(text).added(host, ())
    assert list(ConfigurationText(with_host).hosts) == [*others, new]
    assert ConfigurationText(with_host).removed(new) == text
