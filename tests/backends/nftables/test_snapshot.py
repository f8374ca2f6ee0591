"""A gate that nobody confirmed is put back: word for word, and as gently as that can be done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.protocols import Restorable
from tests.support.gates import BOTH, allow, gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

HOME, HOME6, OTHER = "81.2.69.142/32", "2a02:8109:9a40::/64", "9.9.9.9/32"
TABLE = "inet allowsync_x"

# What somebody may have done to the gate before.
EDITS = {
    "untouched": "",
    "open": f"flush chain {TABLE} gate",
    "another rule": f"add rule {TABLE} gate counter",
    "another set": f"add set {TABLE} other {{ type ipv4_addr; }}",
    "another element": f"add element {TABLE} ipv4 {{ 7.7.7.1-7.7.7.9 }}",
    "a set less": f"flush chain {TABLE} gate; flush chain {TABLE} gate_input; "
    f"delete set {TABLE} ipv6",
    "switched off": f"add table {TABLE} {{ flags dormant; }}",
}


def text(inside: Namespace) -> str:
    return inside.command("nft", "-s", "list", "table", *TABLE.split())


def handle(inside: Namespace) -> str:
    """The number that tells the table from one that was made anew; with it, its sets."""
    (found,) = re.findall(rf"^table {TABLE} .*# handle (\d+)$", listed(inside), re.MULTILINE)
    return str(found)


def listed(inside: Namespace) -> str:
    return inside.command("nft", "-a", "list", "table", *TABLE.split())


def snapshot(inside: Namespace) -> Callable[[], bool]:
    backend = gate()
    assert isinstance(backend, Restorable)
    return inside.run(backend.snapshot)


@pytest.mark.parametrize("edit", EDITS.values(), ids=list(EDITS))
def test_a_gate_is_put_back_as_somebody_had_it(inside: Namespace, edit: str) -> None:
    allow(inside, gate(), HOME, HOME6)
    inside.nft(edit)
    was, put_back = text(inside), snapshot(inside)
    assert not inside.run(put_back), "nothing differed"
    allow(inside, gate(), OTHER)
    assert text(inside) != was
    assert inside.run(put_back)
    assert text(inside) == was
    assert not inside.run(put_back)


def test_its_sets_stay_where_they_are_so_that_no_packet_is_lost(inside: Namespace) -> None:
    allow(inside, gate(), HOME, HOME6)
    was, before, put_back = text(inside), handle(inside), snapshot(inside)
    # Another port, too: its rules are others.
    allow(inside, gate(ports=BOTH[:1]), HOME, OTHER)
    assert inside.run(put_back)
    assert (text(inside), handle(inside)) == (was, before)


def test_a_gate_that_was_not_there_goes_and_one_that_went_comes_back(inside: Namespace) -> None:
    without = snapshot(inside)
    allow(inside, gate(), HOME)
    was, with_it = text(inside), snapshot(inside)
    assert inside.run(without)
    assert inside.command("nft", "list", "tables") == ""
    assert inside.run(with_it)
    assert text(inside) == was


def test_what_was_seen_since_is_no_difference(inside: Namespace) -> None:
    allow(inside, gate(), HOME, HOME6)
    was, put_back = handle(inside), snapshot(inside)
    inside.nft(f"add element {TABLE} ipv4_seen {{ 81.2.69.142, 9.9.9.9 }}")
    assert not inside.run(put_back)
    inside.nft(f"flush chain {TABLE} gate")
    assert inside.run(put_back)
    assert handle(inside) == was
    assert not inside.run(put_back)
