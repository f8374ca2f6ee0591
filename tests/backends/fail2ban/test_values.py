"""What is written for Fail2ban, said to it, and understood of it, as values."""

from __future__ import annotations

import os
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.fail2ban.answers import (
    Configured,
    NotUnderstood,
    banned,
    by_network_text,
    configured,
    ignored,
)
from allowsync_backends.fail2ban.jail_reader import JailState
from allowsync_backends.fail2ban.reconcile import banned_by, commands, refers, theirs
from allowsync_backends.fail2ban.record import Record
from allowsync_backends.fail2ban.syntax import VariableSyntax, jails_of

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.types import Network

NOTHING = "No IP address/network is ignored\n"
SOME = """\
These IP addresses/networks are ignored:
|- 127.0.0.0/8
|- home.example.org
|- 2001:db8::/64
`- 203.0.113.7
"""
DUMP = """\
['set', 'syslogsocket', 'auto']
['add', 'door', 'polling']
['set', 'door', 'addfailregex', "^addignoreip ['set', 'door', 'addignoreip', '9.9.9.9']$"]
['set', 'door', 'addignoreip', '127.0.0.1/8', '::1']
['add', 'gate', 'polling']
['start', 'door']
['start', 'gate']
"""


def nets(*texts: str) -> frozenset[Network]:
    return frozenset(map(ip_network, texts))


def test_an_allowlist_is_a_variable_with_a_network_a_line() -> None:
    text = VariableSyntax(("sshd", "jellyfin")).render(
        "friends", nets("2001:db8::/64", "203.0.113.7/32", "198.51.100.0/24")
    )
    assert text == (
        '# Written by allowsync for allowlist "friends". '
        "Do not edit: changes are overwritten.\n"
        "# In jails: jellyfin sshd\n"
        "[DEFAULT]\n"
        "allowsync_friends =\n"
        "    198.51.100.0/24\n"
        "    203.0.113.7/32\n"
        "    2001:db8::/64\n"
    )


def test_a_file_is_read_back_as_it_was_written() -> None:
    some = nets("203.0.113.7/32", "2001:db8::/64")
    for networks in (some, nets()):
        text = VariableSyntax(("b", "a")).render("x", networks)
        held = VariableSyntax(()).parse(text)
        assert held is not None
        assert (held.allowlist, held.networks, jails_of(text)) == ("x", networks, ("a", "b"))


@pytest.mark.parametrize("text", ["", "[DEFAULT]\nallowsync_x =\n", "# In jails: a\n"])
def test_a_file_of_somebody_else_is_none_of_ours(text: str) -> None:
    assert VariableSyntax(()).parse(text) is None


@pytest.mark.parametrize("text", ["", "# In jails:\n", "# In jails: a  b\n", "x # In jails: a\n"])
def test_jails_that_are_not_written_as_we_do_are_none(text: str) -> None:
    assert jails_of(text) == ()


def test_what_a_jail_ignores_is_a_tree() -> None:
    assert ignored(NOTHING) == ()
    assert ignored(SOME) == ("127.0.0.0/8", "home.example.org", "2001:db8::/64", "203.0.113.7")
    assert by_network_text(ignored(SOME)) == {
        ip_network("127.0.0.0/8"): "127.0.0.0/8",
        ip_network("2001:db8::/64"): "2001:db8::/64",
        ip_network("203.0.113.7/32"): "203.0.113.7",
    }


def test_a_jail_may_ignore_what_is_no_address_at_all() -> None:
    text = SOME.replace("home.example.org", "file:/etc/my friends")
    assert ignored(text)[1] == "file:/etc/my friends"
    assert by_network_text(ignored(text)) == by_network_text(ignored(SOME))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "Sorry but the jail 'door' does not exist\n",
        NOTHING + "`- 203.0.113.7\n",
        SOME.replace("`- ", "|- "),  # cut off
        "These IP addresses/networks are ignored:\n",
        SOME.replace("|- 127", "127"),
        "WARNING\n" + SOME,
        SOME + "fail2ban> ",
    ],
)
def test_another_text_is_not_taken_for_what_a_jail_ignores(text: str) -> None:
    with pytest.raises(NotUnderstood):
        ignored(text)


def test_who_is_banned_is_told_for_each_jail_that_runs() -> None:
    assert banned("[]\n") == {}
    assert banned("[{'door': ['203.0.113.7', 'a name']}, {'gate': []}]\n") == {
        "door": ("203.0.113.7", "a name"),
        "gate": (),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[{'door': '203.0.113.7'}]",
        "['door']",
        "[{'door': []}",
        "[x]",
        "(" * 5000,
        "{[]: 1}",
        "['\\d']",
    ],
)
def test_another_text_is_not_taken_for_who_is_banned(text: str) -> None:
    with pytest.raises(NotUnderstood):
        banned(text)


def test_a_configuration_is_what_would_be_started_and_ignored() -> None:
    expected = Configured(frozenset({"door", "gate"}), {"door": ("127.0.0.1/8", "::1")})
    assert configured(DUMP) == expected
    assert configured("") == Configured(frozenset())


@pytest.mark.parametrize(
    "text", ["['set', 'door', 'addignoreip', '127.0.0", "['start', 'door', 'gate']", "['start']"]
)
def test_half_a_configuration_or_a_strange_one_is_none(text: str) -> None:
    with pytest.raises(NotUnderstood):
        configured(f"['start', 'door']\n{text}\n")


def jail(ignores: str = "", bans: str = "") -> JailState:
    return JailState(by_network_text(ignores.split()), by_network_text(bans.split()))


def test_friends_are_ignored_before_they_are_let_go_and_others_forgotten_last() -> None:
    seen = jail("203.0.113.7 192.0.2.0/24 10.0.0.0/8", "198.51.100.9 198.51.100.0/23 192.0.2.4")
    wanted = nets("198.51.100.0/24", "2001:db8::7/128")
    assert list(commands("door", seen, wanted, nets("203.0.113.7/32", "172.16.0.0/12"))) == [
        "set door addignoreip 198.51.100.0/24 2001:db8::7",
        "set door unbanip 198.51.100.9",
        "set door delignoreip 203.0.113.7",
    ]


def test_nothing_is_said_to_a_jail_that_is_in_step() -> None:
    wanted = nets("203.0.113.7/32", "2001:db8::/64")
    assert list(commands("door", jail("203.0.113.7 2001:db8::/64", "8.8.8.8"), wanted, ())) == []


def test_many_networks_are_said_in_several_commands() -> None:
    wanted = nets(*(f"198.51.100.{number}/32" for number in range(256)))
    said = list(commands("door", jail(), wanted, ()))
    assert [len(line.split()) - 3 for line in said] == [100, 100, 56]


def test_only_bans_within_the_allowlist_are_friends() -> None:
    bans = nets("203.0.113.7/32", "203.0.113.0/24", "203.0.112.0/23", "2001:db8::/64")
    friends = nets("203.0.113.0/24", "2001:db8::/65")
    assert banned_by(bans, friends) == sorted(nets("203.0.113.0/24", "203.0.113.7/32"))


OURS = ("203.0.113.7/32", "2001:db8::/64")


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ((), ()),
        (OURS, ()),
        (("10.0.0.9/8", *OURS, "::1"), ("10.0.0.0/8", "::1/128")),
        (("203.0.113.7", *OURS), ("203.0.113.7/32",)),
        ((*OURS, *OURS), ()),
        (OURS[:1], OURS[:1]),
        (("home.example.org", "1.2.3.4/255.255.255.0"), ("1.2.3.0/24",)),
    ],
)
def test_what_is_configured_beside_our_variable_is_somebody_elses(
    written: tuple[str, ...], found: tuple[str, ...]
) -> None:
    assert theirs(written, OURS) == nets(*found)


def test_without_networks_of_ours_all_is_somebody_elses() -> None:
    assert theirs(OURS, ()) == nets(*OURS)


@pytest.mark.parametrize(
    ("written", "found"), [(OURS, True), (("::1", *OURS), True), (OURS[:1], False), ((), False)]
)
def test_a_configuration_refers_to_us_where_all_of_ours_is_in_it(
    written: tuple[str, ...], found: bool
) -> None:
    assert refers(written, OURS) is found
    assert refers(written, ())


def test_what_other_files_of_ours_have_a_jail_ignore_is_theirs(tmp_path: Path) -> None:
    other, mine = VariableSyntax(("door", "gate")), VariableSyntax(("door",))
    (tmp_path / "y.local").write_text(other.render("y", nets("203.0.113.7/32")))
    (tmp_path / "z.local").write_text(other.render("x", nets("2001:db8::/64")))
    (tmp_path / "x.local").write_text(mine.render("x", nets("198.51.100.0/24")))
    (tmp_path / "theirs.local").write_text("[DEFAULT]\nignoreip = 192.0.2.1\n")
    os.mkfifo(tmp_path / "pipe.local")
    record = Record("x", tmp_path / "x.local", ("door",))
    for jail in ("door", "gate"):
        assert record.of_others(jail) == nets("203.0.113.7/32", "2001:db8::/64")
    assert record.of_others("haven") == nets()
