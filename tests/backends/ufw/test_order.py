"""Denials that others made: rules of ours go in front, or are told to have no effect."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from tests.support.gates import allow
from tests.support.ufw import RULES6, backend, kernel, text

if TYPE_CHECKING:
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

HOME, HOME6, MOVED = "81.2.69.142", "2a02:8109:9a40::/64", "81.2.69.77"


def order(inside: Namespace) -> list[str]:
    """Sources that are allowed, and denials, in the order of the file; the kernel's is the same."""
    lines = [line for line in text(inside).splitlines() if line.startswith("-A ufw-user-input")]
    listed = inside.command("iptables", "-S", "ufw-user-input").splitlines()[1:]
    assert [_brief(one) for one in listed] == [_brief(one) for one in lines]
    return list(dict.fromkeys(map(_brief, lines)))


def _brief(line: str) -> str:
    words = line.split()
    source = words[words.index("-s") + 1].removesuffix("/32") if "-s" in words else "anywhere"
    return source if words[-1] == "ACCEPT" else f"not {source}"


@pytest.mark.parametrize("denial", ["deny 443", "deny 443/tcp", "reject 400:500/tcp"])
def test_what_is_new_comes_before_a_denial_that_was_added_at_the_end(
    inside: Namespace, denial: str
) -> None:
    allow(inside, backend(), HOME)
    inside.command("ufw", *denial.split())
    after = allow(inside, backend(), HOME, MOVED)
    assert order(inside) == [HOME, MOVED, "not anywhere"]
    assert (after.flaws, after.ineffective) == ((), {})
    loaded = kernel(inside)
    inside.command("ufw", "reload")
    assert kernel(inside) == loaded


def test_a_denial_that_was_there_first_does_not_shut_out_the_first_friends(
    inside: Namespace,
) -> None:
    inside.command("sh", "-ec", "ufw allow 22; ufw deny 443; ufw deny 25")
    after = allow(inside, backend(), HOME, HOME6)
    assert order(inside) == ["anywhere", HOME, "not anywhere"]
    assert after.ineffective == {}
    assert text(inside, RULES6).index(HOME6) < text(inside, RULES6).index("-j DROP")


def test_what_is_new_comes_before_a_limit_that_was_added_at_the_end(inside: Namespace) -> None:
    """After six connections within half a minute a limit shuts out a friend like any other."""
    allow(inside, backend(), HOME)
    inside.command("ufw", "limit", "443/tcp")
    after = allow(inside, backend(), HOME, MOVED, HOME6)
    listed = inside.command("iptables", "-S", "ufw-user-input")
    assert listed.index(HOME) < listed.index(MOVED) < listed.index("ufw-user-limit")
    file = text(inside, RULES6)
    assert file.index(HOME6) < file.index("-j ufw6-user-limit")
    assert (after.flaws, after.ineffective) == ((), {})


def test_denials_of_other_ports_are_no_reason_to_jump_the_queue(inside: Namespace) -> None:
    inside.command("sh", "-ec", "ufw deny 25; ufw route deny 443; ufw deny out 443")
    allow(inside, backend(), HOME)
    assert order(inside) == ["not anywhere", HOME]


def test_a_denial_in_front_of_everything_stays_there_and_nobody_is_said_to_get_in(
    inside: Namespace,
) -> None:
    allow(inside, backend(), HOME)
    inside.command("ufw", "insert", "1", "deny", "443")
    after = allow(inside, backend(), HOME, MOVED)
    assert order(inside) == ["not anywhere", HOME, MOVED]
    assert set(after.ineffective) == {ip_network(HOME), ip_network(MOVED)}
    assert "rule 'deny 443 from anywhere' comes first; delete it" in after.ineffective[
        ip_network(MOVED)]  # fmt: skip
    inside.command("ufw", "delete", "deny", "443")
    assert inside.run(backend().read).ineffective == {}


def test_who_is_banned_by_address_stays_out_and_is_not_said_to_get_in(inside: Namespace) -> None:
    allow(inside, backend(), HOME)
    inside.command("ufw", "deny", "from", "81.2.69.64/26")
    after = allow(inside, backend(), HOME, MOVED)
    assert order(inside) == [HOME, "not 81.2.69.64/26", MOVED]
    assert set(after.ineffective) == {ip_network(MOVED)}
    inside.command("ufw", "deny", "from", "9.9.9.9", "to", "any", "port", "443")
    assert set(inside.run(backend().read).ineffective) == {ip_network(MOVED)}


def test_an_interface_or_an_address_of_this_machine_is_not_everything(inside: Namespace) -> None:
    allow(inside, backend(), HOME)
    inside.command("sh", "-ec", "ufw insert 1 deny in on wg0 to any port 443; "
                   "ufw insert 1 deny to 10.0.0.1 port 443")  # fmt: skip
    assert inside.run(backend().read).ineffective == {}
