"""Somebody else at our sets and rules: it is told, and put right, and nothing else is touched."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.ports import Protocol
from allowsync_backends.ipset import tool
from allowsync_backends.ipset.options import Variant

from allowsync.backend.api import BackendError
from allowsync.model.plan import Plan
from allowsync.model.types import Family
from tests.support.gates import BOTH, allow, planned, port
from tests.support.ipsets import bare_sets, ipset_gate, rules, sets
from tests.support.probe import IN_VAIN, udp_answers

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

HOME, HOME6 = "81.2.69.142/32", "2a02:8109:9a40::/64"
SET, SET6, CHAIN = "allowsync-x-4", "allowsync-x-6", "allowsync-x"

FOREIGN_SETS = 'create mine hash:net comment\nadd mine 1.2.3.0/24 comment "it\'s mine"\n'
FOREIGN_RULES = """\
*mangle
:mine - [0:0]
-A PREROUTING -i eth7 -m comment --comment "a; b \\"c\\" allowsync-x" -j mine
-A mine -j MARK --set-mark 1
COMMIT
*filter
:INPUT DROP [0:0]
-A INPUT -m set --match-set mine src -j ACCEPT
COMMIT
"""

ABSENT = [
    "iptables{v}: chain allowsync-x does not exist",
    "iptables{v}: nothing leads to chain allowsync-x",
]
ODD = ["set allowsync-x-4 has other flags, or elements that are no plain networks"]
MISSING = "iptables{v}: a rule of chain allowsync-x is missing"
STRANGE = "iptables{v}: chain allowsync-x has a rule that does not belong there"

PASSING = (
    "iptables{v}: a rule before the one that leads to chain allowsync-x may let strangers pass it"
)

# What somebody does, and what is then said to be wrong. `{v}` is the variant.
DEEDS = {
    f"iptables{{v}} -w -t mangle -F {CHAIN}": [MISSING],
    "iptables{v} -w -t mangle -F PREROUTING": [ABSENT[1]],
    f"iptables{{v}} -w -t mangle -F; iptables{{v}} -w -t mangle -X {CHAIN}": [
        ABSENT[0],
        "iptables{v}: a rule of chain allowsync_x is missing",
        ABSENT[1],
        "iptables{v}: nothing leads to chain allowsync_x",
    ],
    "iptables{v} -w -t mangle -F INPUT": ["iptables{v}: nothing leads to chain allowsync_x"],
    "iptables{v} -w -t mangle -I allowsync_x -j RETURN": [
        "iptables{v}: chain allowsync_x has a rule that does not belong there"
    ],
    f"iptables{{v}} -w -t mangle -D PREROUTING -j {CHAIN}": [ABSENT[1]],
    f"iptables{{v}} -w -t mangle -A PREROUTING -j {CHAIN}": [
        "iptables{v}: more than one rule leads to chain allowsync-x"
    ],
    "iptables{v} -w -t mangle -I PREROUTING -p tcp -j ACCEPT": [PASSING],
    f"iptables{{v}} -w -t mangle -I {CHAIN} -j ACCEPT": [STRANGE],
    f"iptables{{v}} -w -t mangle -D {CHAIN} 1": [MISSING],
    f"iptables{{v}} -w -t mangle -R {CHAIN} 2 -j RETURN": [MISSING, STRANGE],
    f"iptables{{v}} -w -t mangle -D {CHAIN} 1; "
    f"iptables{{v}} -w -t mangle -A {CHAIN} -i lo -j RETURN": [
        "iptables{v}: the rules of chain allowsync-x are in another order"
    ],
    f"ip6tables{{v}} -w -t mangle -F {CHAIN}": [MISSING.replace("ipt", "ip6t")],
    f"ipset create other hash:net timeout 9; ipset swap other {SET}; ipset destroy other": ODD,
    f"ipset create other hash:net comment; ipset swap other {SET}; ipset destroy other": ODD,
    f"ipset add {SET} 81.2.69.0/24 nomatch": ODD,
    f"ipset create {SET}t hash:ip": ["set allowsync-x-4t was left behind"],
}


@pytest.fixture(params=[Variant.NFT, Variant.LEGACY], ids=lambda variant: variant.value)
def variant(request: pytest.FixtureRequest) -> Variant:
    assert isinstance(request.param, Variant)
    return request.param


@pytest.fixture
def whole(inside: Namespace, variant: Variant) -> Namespace:
    """A namespace with a gate that lets somebody in, next to other people's rules and sets."""
    inside.command("ipset", "restore", stdin=FOREIGN_SETS)
    inside.command(f"iptables-{variant.value}-restore", "-w", "-n", stdin=FOREIGN_RULES)
    allow(inside, ipset_gate(variant=variant), HOME, HOME6)
    return inside


def others(inside: Namespace, variant: Variant) -> list[str]:
    """Everybody else's rules and sets, byte for byte."""
    listed = inside.command(f"iptables-{variant.value}-save").splitlines()
    everybody = [*listed, *inside.command("ipset", "save", "mine").splitlines()]
    return [line for line in everybody if line[:1] in "-*ca" and not is_ours(line)]


def is_ours(line: str) -> bool:
    ends = ("-j allowsync-x", "-j allowsync_x", "ACCEPT")
    return line.endswith(ends) or line.startswith(("-A allowsync-x", "-A allowsync_x"))


@pytest.mark.parametrize(("deed", "said"), DEEDS.items(), ids=lambda value: str(value)[:60])
def test_whatever_somebody_does_is_told_and_repaired(
    whole: Namespace, variant: Variant, deed: str, said: list[str]
) -> None:
    name = f"-{variant.value}"
    for command in deed.format(v=name).split("; "):
        whole.command(*command.split())
    before = others(whole, variant)
    gate = ipset_gate(variant=variant)
    assert list(whole.run(gate.read).flaws) == [one.format(v=name) for one in said]
    after = allow(whole, gate, HOME, HOME6)
    assert {entry.network for entry in after.entries} == {ip_network(HOME), ip_network(HOME6)}
    assert after.flaws == ()
    assert others(whole, variant) == before


def test_what_others_have_is_left_byte_for_byte(whole: Namespace, variant: Variant) -> None:
    before = others(whole, variant)
    assert any("a; b" in line for line in before)
    gate = ipset_gate(variant=variant)
    allow(whole, gate, "9.9.9.9")
    whole.run(gate.clear)
    assert others(whole, variant) == before
    assert CHAIN not in rules(whole, variant).replace('c\\" allowsync-x"', "")


def test_an_element_that_somebody_added_or_deleted_is_seen_and_put_right(whole: Namespace) -> None:
    whole.command("ipset", "add", SET, "7.7.7.7")
    whole.command("ipset", "del", SET, HOME)
    gate = ipset_gate(variant=Variant.NFT)
    assert {str(e.network) for e in whole.run(gate.read).entries} == {"7.7.7.7/32", HOME6}
    after = allow(whole, gate, HOME, HOME6)
    assert {str(e.network) for e in after.entries} == {HOME, HOME6}


def test_other_ports_in_the_configuration_are_a_flaw_of_the_old_gate(
    whole: Namespace, variant: Variant
) -> None:
    wider = ipset_gate(ports=(*BOTH, port(8096, Protocol.TCP)), variant=variant)
    assert whole.run(wider.read).flaws
    assert allow(whole, wider, HOME).flaws == ()
    assert "--dports 443,8096" in rules(whole, variant)


def test_the_longest_name_of_an_allowlist_fits(inside: Namespace, variant: Variant) -> None:
    gate = ipset_gate(allowlist="a" * 18, variant=variant)
    for wanted in (HOME, "9.9.9.9"):
        after = allow(inside, gate, wanted, HOME6)
        assert (len(after.entries), after.flaws) == (2, ())
    inside.run(gate.clear)
    assert sets(inside) == []


def test_two_gates_do_not_push_each_other_away(whole: Namespace, variant: Variant) -> None:
    second = ipset_gate(allowlist="y", variant=variant)
    assert allow(whole, second, HOME).flaws == ()
    assert whole.run(ipset_gate(variant=variant).read).flaws == ()


@pytest.mark.parametrize("deed", [f"flush {SET}", f"add {SET} 6.6.6.6", f"del {SET} {HOME}"])
def test_what_happens_between_reading_and_applying_does_no_harm(
    whole: Namespace, variant: Variant, deed: str
) -> None:
    gate = ipset_gate(variant=variant)
    plan = planned(whole.run(gate.read), [ip_network("9.9.9.9/32"), ip_network(HOME)])
    whole.command("ipset", *deed.split())
    whole.run(gate.apply, plan)
    assert {str(e.network) for e in whole.run(gate.read).entries} == {"9.9.9.9/32", HOME}


def test_few_changes_of_many_are_made_in_place(inside: Namespace) -> None:
    crowd = [f"90.0.{number}.0/24" for number in range(40)]
    allow(inside, bare_sets(), HOME, *crowd)
    made = inside.command("ipset", "list", "-t", SET).splitlines()[3].rpartition("initval")
    allow(inside, bare_sets(), "9.9.9.9", *crowd)
    same = inside.command("ipset", "list", "-t", SET).splitlines()[3].rpartition("initval")
    assert made == same
    assert "add allowsync-x-4 9.9.9.9" in sets(inside)


def test_a_set_that_is_full_is_replaced_by_a_larger_one(inside: Namespace) -> None:
    inside.command("ipset", "create", SET, "hash:net", "maxelem", "40")
    inside.command("ipset", "create", SET6, "hash:net", "family", "inet6")
    crowd = [f"90.0.{number}.0/24" for number in range(40)]
    allow(inside, bare_sets(), *crowd)
    smaller = f"create {SET}s hash:net maxelem 40\nswap {SET}s {SET}\n"
    inside.command("ipset", "restore", stdin=smaller)
    inside.command("ipset", "restore", stdin="".join(f"add {SET} {one}\n" for one in crowd))
    after = allow(inside, bare_sets(), HOME, "9.9.9.9", *crowd)
    assert len(after.entries) == 42
    assert after.flaws == ()
    assert "maxelem 65536" in inside.command("ipset", "list", "-t", SET)


def test_a_set_of_another_type_that_rules_use_is_told_with_what_to_do(inside: Namespace) -> None:
    inside.command("ipset", "create", SET, "hash:ip")
    inside.command("ipset", "add", SET, "7.7.7.7")
    inside.command("iptables-nft", "-A", "INPUT", "-m", "set", "--match-set", SET, "src")
    with pytest.raises(BackendError, match="delete them, then run again") as raised:
        allow(inside, bare_sets(), HOME)
    assert not raised.value.again
    assert f"add {SET} 7.7.7.7" in sets(inside)
    advised = {one.advice for one in inside.run(bare_sets().check) if SET in one.what}
    assert advised == {str(raised.value)}  # no run repairs it by itself
    inside.command("iptables-nft", "-F")
    assert allow(inside, bare_sets(), HOME).flaws == ()


def test_sets_that_rules_use_are_emptied_and_told_when_cleared(inside: Namespace) -> None:
    allow(inside, bare_sets(), HOME, HOME6)
    inside.command("iptables-nft", "-A", "INPUT", "-m", "set", "--match-set", SET, "src")
    with pytest.raises(BackendError, match="is empty now, but could not be deleted"):
        inside.run(bare_sets().clear)
    assert [line for line in sets(inside) if line.startswith("add")] == []
    inside.command("iptables-nft", "-F")
    inside.run(bare_sets().clear)
    assert sets(inside) == []


def test_a_chain_that_others_use_is_told_when_cleared(whole: Namespace, variant: Variant) -> None:
    using = f"*mangle\n-A mine -j {CHAIN}\nCOMMIT\n"
    whole.command(f"iptables-{variant.value}-restore", "-w", "-n", stdin=using)
    with pytest.raises(BackendError, match="could not be deleted"):
        whole.run(ipset_gate(variant=variant).clear)


def test_rules_of_the_other_variant_are_cleared_too(inside: Namespace) -> None:
    for variant in (Variant.NFT, Variant.LEGACY):
        allow(inside, ipset_gate(variant=variant), HOME)
    inside.run(ipset_gate(variant=Variant.NFT).clear)
    assert CHAIN not in rules(inside, Variant.NFT) + rules(inside, Variant.LEGACY)
    assert sets(inside) == []


def test_a_kernel_without_ipv6_needs_no_ip6tables(
    inside: Namespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tool, "IPV6_ADDRESSES", tmp_path / "if_inet6")
    monkeypatch.setitem(tool.PROGRAMS, Family.IPV6, "ip6tables-missing")
    gate = ipset_gate()
    assert gate.capabilities.families == (Family.IPV4,)
    assert allow(inside, gate, HOME).flaws == ()
    inside.run(gate.clear)
    assert sets(inside) == []


@pytest.mark.parametrize("act", ["read", "clear"])
def test_without_ip6tables_ipv6_is_never_taken_for_guarded(
    inside: Namespace, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    monkeypatch.setitem(tool.PROGRAMS, Family.IPV6, "ip6tables-missing")
    with pytest.raises(BackendError, match="ip6tables-missing cannot be run"):
        inside.run(getattr(ipset_gate(), act))


def liars(folder: Path, **scripts: str) -> str:
    """A search path on which some programs are scripts, and all others are as always."""
    for name, script in scripts.items():
        place = folder / name
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)
    return f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"


NAMES = (
    'test "$*" = "-n -o xml list" && '
    """printf '<ipsets>\\n<ipset name="allowsync-x-4"/>\\n</ipsets>\\n'"""
)


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("ipset", "echo garbage"),
        ("ipset", "echo '<ipsets>'"),
        ("ipset", "true"),
        ("ipset", f"{NAMES} || echo Name: allowsync-x-4"),
        ("ipset", "exit 1"),
        ("ipset", NAMES),
        ("ipset", "kill -9 $$"),
        ("iptables", "echo garbage"),
        ("iptables", "exit 0"),
        ("ip6tables", "exit 3"),
        ("ip6tables", "printf -- '-P PREROUTING ACCEPT\\n-A \\377\\n'"),
    ],
)  # fmt: skip
def test_a_tool_that_prints_garbage_is_never_an_empty_gate(
    whole: Namespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, script: str
) -> None:
    monkeypatch.setattr("allowsync.system.process.PATH", liars(tmp_path, **{name: script}))
    with pytest.raises(BackendError):
        whole.run(ipset_gate().read)


def test_rules_that_are_refused_are_told_and_the_sets_stay(
    inside: Namespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = liars(tmp_path, **{"ip6tables-restore": "echo no such table >&2; exit 3"})
    monkeypatch.setattr("allowsync.system.process.PATH", path)
    with pytest.raises(BackendError, match="ip6tables changed nothing: no such table") as raised:
        allow(inside, ipset_gate(), HOME)
    assert not raised.value.again
    assert f"add {SET} 81.2.69.142" in sets(inside)


def test_a_locale_of_somebody_elses_changes_nothing(
    whole: Namespace, monkeypatch: pytest.MonkeyPatch, variant: Variant
) -> None:
    for name in ("LC_ALL", "LANG", "LANGUAGE"):
        monkeypatch.setenv(name, "de_DE.UTF-8")
    monkeypatch.setenv("IPSET_LIST", "x")
    gate: Backend = ipset_gate(variant=variant)
    assert whole.run(gate.read).flaws == ()
    assert allow(whole, gate, "9.9.9.9").flaws == ()


def test_the_same_is_read_while_packets_are_counted(whole: Namespace) -> None:
    gate = ipset_gate(variant=Variant.NFT)
    before = whole.run(gate.read)
    udp_answers(whole, "127.0.0.1", 443, wait=IN_VAIN)
    assert whole.run(gate.read) == before
    assert before.entries


def test_an_empty_plan_starts_nothing(
    whole: Namespace, monkeypatch: pytest.MonkeyPatch, variant: Variant
) -> None:
    monkeypatch.setattr("allowsync.system.process.PATH", "/nonexistent")
    whole.run(ipset_gate(variant=variant).apply, Plan("x/ipset"))
