"""UFW's notation: what is read, what is written, and that nothing of a stranger's is lost."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.ufw.kernel import Kernel, listed, written
from allowsync_backends.ufw.rules_file import Damaged, RuleOwnership, parsed
from allowsync_backends.ufw.settings import assignments, understood
from allowsync_backends.ufw.tuples import (
    LONGEST_COMMENT,
    Tuple,
    UfwRule,
    apart,
    chain,
    comment_of,
    parse,
    plain,
    prefix_of,
    rendered,
    rule_of,
)
from hypothesis import given
from hypothesis import strategies as st

from allowsync.backend.api import hosts_of
from allowsync.model.types import Family

if TYPE_CHECKING:
    from allowsync.model.types import Network

HEAD = "*filter\n:ufw-user-input - [0:0]\n### RULES ###\n"
TAIL = "\n### END RULES ###\n\n### LOGGING ###\n### END LOGGING ###\nCOMMIT\n"
TCP = Port(443, 443, Protocol.TCP)
ALICE = UfwRule("81.2.69.142/32", "443", "tcp")
MINE = RuleOwnership("web", route=False)

# As ufw 0.36.2 wrote them.
STRANGERS = (
    """
### tuple ### allow any 443 0.0.0.0/0 any 81.2.69.143 in
-A ufw-user-input -p tcp --dport 443 -s 81.2.69.143 -j ACCEPT
-A ufw-user-input -p udp --dport 443 -s 81.2.69.143 -j ACCEPT
""",
    """
### tuple ### limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in
-A ufw-user-input -p tcp --dport 22 -m conntrack --ctstate NEW -m recent --set
-A ufw-user-input -p tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 30 \
--hitcount 6 -j ufw-user-limit
-A ufw-user-input -p tcp --dport 22 -j ufw-user-limit-accept
""",
    """
### tuple ### allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 WWW%20Full - in
-A ufw-user-input -p tcp -m multiport --dports 80,443 -j ACCEPT \
-m comment --comment 'dapp_WWW%20Full'
""",
    """
### tuple ### allow tcp 443 0.0.0.0/0 any 81.2.69.145 in_eth0
-A ufw-user-input -i eth0 -p tcp --dport 443 -s 81.2.69.145 -j ACCEPT
""",
    """
### tuple ### allow_log tcp 443 0.0.0.0/0 any 81.2.69.146 in
-A ufw-user-input -p tcp --dport 443 -s 81.2.69.146 -j ufw-user-logging-input
-A ufw-user-input -p tcp --dport 443 -s 81.2.69.146 -j ACCEPT
""",
    """
### tuple ### route:allow tcp 443 0.0.0.0/0 any 81.2.69.142 in_eth0!out_eth1 comment=6d696e65
-A ufw-user-forward -i eth0 -o eth1 -p tcp --dport 443 -s 81.2.69.142 -j ACCEPT
""",
    """
### tuple ### allow tcp 443 0.0.0.0/0 any 81.2.69.142 in comment=68657920c39c6ec3af636f6465
-A ufw-user-input -p tcp --dport 443 -s 81.2.69.142 -j ACCEPT
""",
    """
### tuple ### nonsense that nobody understands
""",
)  # fmt: skip

networks = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 32)).map(
        lambda one: IPv4Network(one, strict=False)
    ),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(1, 128)).map(
        lambda one: IPv6Network(one, strict=False)
    ),
)
ports = st.tuples(st.integers(1, 65535), st.integers(1, 65535), st.sampled_from(Protocol)).map(
    lambda one: Port(min(one[:2]), max(one[:2]), one[2])
)
labels = st.lists(st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,39}", fullmatch=True), max_size=6)


def test_a_tuple_is_read_part_by_part() -> None:
    line = STRANGERS[5].splitlines()[1]
    assert parse(line) == Tuple(
        "allow", True, "", "tcp", "443", "0.0.0.0/0", "any", "81.2.69.142", ("", ""),
        "in_eth0!out_eth1", "mine",
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "### tuple ### allow tcp 443 0.0.0.0/0 any in",
        "### tuple ### allw tcp 443 0.0.0.0/0 any 81.2.69.142 in",
        "### tuple ### rout:allow tcp 443 0.0.0.0/0 any 81.2.69.142 in",
        "### tuple ### allow tcp 443 0.0.0.0/0 any 81.2.69.142 sideways",
        "### tuple ### allow tcp 443 0.0.0.0/0 any 81.2.69.142 in comment=xyz",
        "### tuple ### allow tcp 443 0.0.0.0/0 any 81.2.69.142 in comment=61 comment=62",
        "### tuple ###",
    ],
)
def test_a_line_that_ufw_would_skip_is_nothing(line: str) -> None:
    assert parse(line) is None


def test_only_the_one_shape_that_is_written_here_is_taken_for_it() -> None:
    found = [parse(text.splitlines()[1]) for text in STRANGERS]
    rules = [None if one is None else plain(one) for one in found]
    assert rules == [None] * 6 + [ALICE, None]


@given(networks, ports, labels, st.booleans())
def test_what_is_written_is_read_again(
    network: Network, port: Port, hosts: list[str], route: bool
) -> None:
    rule, comment = rule_of(network, port), comment_of("web", hosts)
    text = rendered(rule, comment, route=route)
    (block,) = parsed(HEAD + text + TAIL).blocks
    assert (block.text, block.rule, block.exact) == (text, rule, True)
    assert block.tuple is not None
    assert (block.tuple.comment, block.tuple.forward) == (comment, route)
    assert RuleOwnership("web", route).owns(block)
    assert not RuleOwnership("web", not route).owns(block)
    assert not RuleOwnership("we", route).owns(block)
    name = chain(Family.of(network), route=route)
    held = written(parsed(HEAD + text + TAIL), name)
    assert (dict(held.rules), held.length) == ({rule: 1}, 1)


@given(networks, ports)
def test_what_iptables_lists_is_the_rule_that_was_loaded(network: Network, port: Port) -> None:
    protocol = port.protocol.value
    match = f"{protocol} --dport {port.first}"
    if port.first != port.last:
        match = f"multiport --dports {port.first}:{port.last}"
    rule = rule_of(network, port)
    line = f"-A chain -s {rule.source} -p {protocol} -m {match} -j ACCEPT"
    assert listed(f"-N chain\n{line}\n", leads_here=True).rules == {rule: 1}


@given(labels, st.sampled_from(["", "0a1b2c3d"]))
def test_a_comment_is_short_and_tells_the_hosts_or_that_it_does_not(
    hosts: list[str], installation: str
) -> None:
    comment = comment_of("jellyfin", hosts, installation)
    assert len(comment) <= LONGEST_COMMENT
    assert comment.startswith(prefix_of("jellyfin"))
    said, whose = apart(comment)
    assert whose == installation
    assert hosts_of(said, "jellyfin") in (tuple(hosts), ())


def test_hosts_that_do_not_fit_are_counted() -> None:
    assert comment_of("web", ["alice", "bob"]) == "allowsync:web:alice:bob"
    assert comment_of("web", ["a" * 40, "b" * 40]) == f"allowsync:web:{'a' * 40}:-1"
    assert comment_of("w" * 18, ["a" * 40]) == f"allowsync:{'w' * 18}:-1"


@given(st.lists(st.sampled_from(STRANGERS), max_size=8), st.integers(0, 8))
def test_strangers_rules_come_out_as_they_went_in_and_in_order(
    strangers: list[str], place: int
) -> None:
    ours = rendered(UfwRule("9.9.9.9/32", "443", "tcp"), "allowsync:web:bob", route=False)
    file = parsed(HEAD + "".join([*strangers[:place], ours, *strangers[place:]]) + TAIL)
    wanted = {rule_of(ip_network("7.7.7.0/24"), TCP): "allowsync:web:alice"}
    added = rendered(*next(iter(wanted.items())), route=False)
    more = file.holding(MINE, wanted, keep=True)
    assert more.text == file.text.replace(TAIL, added + TAIL)
    less = more.holding(MINE, {}, keep=False)
    assert less.text == HEAD + "".join(strangers) + TAIL


def test_a_rule_that_a_stranger_has_is_not_written_twice_and_can_be_adopted() -> None:
    file = parsed(HEAD + STRANGERS[6] + TAIL)
    wanted = {ALICE: "allowsync:web:alice"}
    assert file.foreign(MINE) == {ALICE}
    assert file.holding(MINE, wanted, keep=True) == file
    adopted = file.adopting(MINE, wanted)
    assert adopted.text == HEAD + rendered(ALICE, "allowsync:web:alice", route=False) + TAIL
    assert adopted.foreign(MINE) == frozenset()


@given(st.text(alphabet=st.sampled_from("#\n -Aab/.0123:=COMIT"), max_size=300))
def test_whatever_is_between_comes_out_again(middle: str) -> None:
    try:
        file = parsed(HEAD + middle + TAIL)
    except Damaged:
        return
    assert file.text == HEAD + middle + TAIL


@pytest.mark.parametrize("text", ["", "COMMIT", HEAD, HEAD + STRANGERS[0] + "COMMIT\n", TAIL])
def test_a_file_that_is_not_whole_is_damaged(text: str) -> None:
    with pytest.raises(Damaged):
        parsed(text)


def test_a_chain_that_is_not_there_holds_nothing() -> None:
    assert listed("", leads_here=False) == Kernel()


def test_settings_are_read_as_ufw_reads_them() -> None:
    text = '# IPV6=no\nIPV6=yes\nENABLED="no"\nDEFAULT_INPUT_POLICY="DROP"\nENABLED=Yes\n'
    found = understood(assignments(text), kernel_has_ipv6=True)
    assert (found.enabled, found.incoming, len(found.families)) == (True, "drop", 2)
    assert understood(assignments(text), kernel_has_ipv6=False).families == (Family.IPV4,)
    assert understood({}, kernel_has_ipv6=True).enabled is False
