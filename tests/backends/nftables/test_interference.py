"""Somebody else at our table: it is told, and put right, and nothing else is touched."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.ports import Protocol
from allowsync_backends.nftables.gate import NftGate, rebuild_script

from allowsync.backend.api import BackendError
from allowsync.model.plan import Plan
from tests.support.gates import BOTH, allow, gate, planned, port

if TYPE_CHECKING:
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

HOME, HOME6 = "81.2.69.142/32", "2a02:8109:9a40::/64"
TABLE = "inet allowsync_x"
CHAIN = f"{TABLE} gate"

FOREIGN = """
table inet filter {
    set trusted { type ipv4_addr; flags interval; elements = { 1.2.3.0/24, 5.6.7.8 } }
    chain input {
        type filter hook input priority 0; policy drop;
        ip saddr @trusted counter packets 7 bytes 490 accept
    }
}
table inet allowsync_y {
    chain gate { type filter hook prerouting priority -150; policy accept; }
}
"""

MISSING = "a rule of the gate is missing"
FOREIGN_RULE = "the gate has a rule that does not belong there"
CHANGED = "a rule of the gate says something else"
STRANGE = "the table holds something that does not belong there"

# What somebody does, and what is then said to be wrong. `{rule}` is the handle of the last rule.
DEEDS = {
    "flush ruleset": ["table inet allowsync_x does not exist"],
    f"delete table {TABLE}": ["table inet allowsync_x does not exist"],
    f"flush chain {CHAIN}": [MISSING],
    f"delete rule {CHAIN} handle {{rule}}": [MISSING],
    f"replace rule {CHAIN} handle {{rule}} accept": [MISSING, FOREIGN_RULE],
    f'replace rule {CHAIN} handle {{rule}} udp dport 443 drop comment "{{comment}}"': [CHANGED],
    f'replace rule {CHAIN} handle {{rule}} accept comment "{{comment}}"': [CHANGED],
    f"flush chain {CHAIN}_input": [MISSING],
    f"delete chain {CHAIN}_input": ["chain gate_input does not exist", MISSING],
    f"insert rule {CHAIN}_input accept": [FOREIGN_RULE],
    f"insert rule {CHAIN} accept": [FOREIGN_RULE],
    f"add rule {CHAIN} counter": [FOREIGN_RULE],
    f"delete rule {CHAIN} handle {{rule}}; insert rule {CHAIN} {{text}}": [
        "the rules of the gate are in another order"
    ],
    f"add rule {CHAIN} {{text}}": [FOREIGN_RULE],
    f"add chain {CHAIN} {{{{ policy drop; }}}}": [
        "chain gate has another hook, priority or policy"
    ],
    f"delete table {TABLE}; add table {TABLE}": [
        "set ipv4 does not exist",
        "set ipv6 does not exist",
        "chain gate does not exist",
        "chain gate_input does not exist",
        MISSING,
    ],
    f"add table {TABLE} {{{{ flags dormant; }}}}": [
        "table inet allowsync_x is switched off, or has flags that are not ours"
    ],
    f"add chain {TABLE} other; add rule {TABLE} other accept": [STRANGE],
    f"flush chain {CHAIN}; flush chain {CHAIN}_input; delete set {TABLE} ipv4_seen": [
        "set ipv4_seen does not exist, or is of another type",
        MISSING,
    ],
    f"add set {TABLE} other {{{{ type ipv4_addr; }}}}": [STRANGE],
    f"add counter {TABLE} visits": [STRANGE],
    f"add element {TABLE} ipv4 {{{{ 7.7.7.1-7.7.7.9 }}}}": [
        "set ipv4 holds ranges, or elements that expire"
    ],
}


@pytest.fixture
def whole(inside: Namespace) -> Namespace:
    """A namespace with a gate that lets somebody in, next to other people's tables."""
    inside.nft(FOREIGN)
    allow(inside, gate(), HOME, HOME6)
    return inside


def last_rule(inside: Namespace) -> dict[str, str]:
    """The last rule of the gate: its handle, its comment and its whole text."""
    listed = inside.command("nft", "-s", "-a", "list", "chain", *CHAIN.split())
    lines = [line.strip() for line in listed.splitlines() if "comment" in line]
    text, _, handle = lines[-1].partition(" # handle ")
    return {"rule": handle, "comment": text.split('"')[-2], "text": text}


def others(inside: Namespace) -> str:
    """Everybody else's tables, with handles."""
    return inside.command("nft", "-a", "list", "table", "inet", "filter") + inside.command(
        "nft", "-a", "list", "table", "inet", "allowsync_y"
    )


@pytest.mark.parametrize(("deed", "said"), DEEDS.items(), ids=lambda value: str(value)[:60])
def test_whatever_somebody_does_is_told_and_repaired(
    whole: Namespace, deed: str, said: list[str]
) -> None:
    ruleset_flushed = deed == "flush ruleset"
    before = others(whole)
    whole.nft(deed.format(**last_rule(whole)).replace("; ", "\n", 1) + "\n")
    current = whole.run(gate().read)
    assert list(current.flaws) == said
    if ruleset_flushed:
        whole.nft(FOREIGN)
        before = others(whole)
    after = allow(whole, gate(), HOME, HOME6)
    assert {entry.network for entry in after.entries} == {ip_network(HOME), ip_network(HOME6)}
    assert after.flaws == ()
    assert others(whole) == before


def test_an_element_that_somebody_added_or_deleted_is_seen_and_put_right(whole: Namespace) -> None:
    whole.nft(f"add element {TABLE} ipv4 {{ 7.7.7.7 }}\ndelete element {TABLE} ipv4 {{ {HOME} }}\n")
    current = whole.run(gate().read)
    assert {str(entry.network) for entry in current.entries} == {"7.7.7.7/32", HOME6}
    assert current.flaws == ()
    after = allow(whole, gate(), HOME, HOME6)
    assert {str(entry.network) for entry in after.entries} == {HOME, HOME6}


def test_other_ports_in_the_configuration_are_a_flaw_of_the_old_gate(whole: Namespace) -> None:
    wider = gate(ports=(*BOTH, port(8096, Protocol.TCP)))
    flaws = whole.run(wider.read).flaws
    assert flaws == ("the rules of the gate are not those of the configuration",)
    assert allow(whole, wider, HOME).flaws == ()
    assert "8096" in whole.command("nft", "list", "chain", *CHAIN.split())


def test_a_gate_of_an_older_release_learns_to_remember_without_being_replaced(
    inside: Namespace,
) -> None:
    # Its sets stay, so that no packet meets one that is going.
    now = rebuild_script(NftGate("x", BOTH), [ip_network(HOME), ip_network(HOME6)])
    lines = [line for line in now.splitlines(keepends=True) if "_seen" not in line]
    inside.nft(re.sub(":[0-9a-f]{8}:", ":00000000:", "".join(lines)))
    before = inside.command("nft", "-a", "list", "table", *TABLE.split()).splitlines()
    assert len(inside.run(gate().read).flaws) == 3
    assert allow(inside, gate(), HOME, HOME6).flaws == ()
    after = inside.command("nft", "-a", "list", "table", *TABLE.split()).splitlines()
    sets = [line for line in before if re.search(r"^table|\tset ipv[46] ", line)]
    assert len(sets) == 3
    assert set(sets) <= set(after)
    assert any("set ipv4_seen" in line for line in after)


def test_what_vanished_between_reading_and_applying_does_no_harm(whole: Namespace) -> None:
    plan = planned(whole.run(gate().read), [ip_network("9.9.9.9/32")])
    whole.nft(f"delete element {TABLE} ipv4 {{ {HOME} }}\n")
    whole.run(gate().apply, plan)
    assert {str(e.network) for e in whole.run(gate().read).entries} == {"9.9.9.9/32"}


@pytest.mark.parametrize(
    "deed", [f"delete table {TABLE}\n", f"add element {TABLE} ipv4 {{ 9.0.0.0/8 }}\n"]
)
def test_a_change_that_gets_in_the_way_asks_for_a_fresh_look(whole: Namespace, deed: str) -> None:
    wanted = [ip_network(HOME), ip_network("9.9.9.9/32")]
    plan = planned(whole.run(gate().read), wanted)
    whole.nft(deed)
    with pytest.raises(BackendError) as raised:
        whole.run(gate().apply, plan)
    assert raised.value.again
    whole.run(gate().apply, planned(whole.run(gate().read), wanted))
    assert {e.network for e in whole.run(gate().read).entries} == set(wanted)


def test_a_refusal_without_interference_asks_for_nothing_again(whole: Namespace) -> None:
    overlapping = planned(whole.run(gate().read), map(ip_network, (HOME, "81.2.0.0/16", HOME6)))
    with pytest.raises(BackendError) as raised:
        whole.run(gate().apply, overlapping)
    assert not raised.value.again
    assert {str(e.network) for e in whole.run(gate().read).entries} == {HOME, HOME6}


def test_clearing_leaves_other_tables_byte_for_byte(whole: Namespace) -> None:
    before = others(whole)
    whole.run(gate().clear)
    assert whole.command("nft", "-a", "list", "ruleset") == before
    assert whole.run(gate().read).flaws == ("table inet allowsync_x does not exist",)


def test_a_repair_that_nothing_calls_for_keeps_the_chain_and_its_sets(whole: Namespace) -> None:
    handles = whole.command("nft", "-a", "list", "sets")
    plan = Plan("x", keep=planned(whole.run(gate().read), [ip_network(HOME)]).keep, repair=("?",))
    whole.run(gate().apply, plan)
    assert whole.command("nft", "-a", "list", "sets").splitlines()[1] == handles.splitlines()[1]
    assert {str(e.network) for e in whole.run(gate().read).entries} == {HOME}
