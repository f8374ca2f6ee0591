"""What cannot be seen is unknown, with the reason, and nothing is left of a copy that is killed."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from allowsync.packetpath import PacketVerdict, Question, ask
from tests.support import bpf
from tests.support.netns import Namespace
from tests.support.terminal import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

QUESTION = Question(ip_address("203.0.113.7"), "tcp", 8096)
ASKS: Final = """
import json
from ipaddress import ip_address
from allowsync.packetpath import Question, ask
told = ask([Question(ip_address("203.0.113.7"), "tcp", 8096)])
print(json.dumps([told.unknown, [one.verdict.value for one in told.answers]]))
"""
KILLS = 12
OURS: Final = "ALLOWSYNC_TEST_OF_KILLS"


@pytest.fixture
def machine(as_root: None) -> Iterator[Namespace]:
    with Namespace() as inside:
        inside.batch(
            "link add eth0 type veth peer name other",
            "link set eth0 up",
            "link set other up",
            "address add 192.0.2.10/24 dev eth0",
            "route add default via 192.0.2.1",
        )
        yield inside


def test_without_rights_it_is_unknown(machine: Namespace) -> None:
    argv = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-I", "-c", ASKS]
    done = machine.run(
        lambda: subprocess.run(argv, capture_output=True, text=True, check=True, cwd="/")
    )
    unknown, verdicts = json.loads(done.stdout)
    assert "Operation not permitted" in unknown
    assert verdicts == ["unknown"]


def test_a_process_that_ends_too_early_leaves_it_unknown(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allowsync.packetpath.inquiry.inquire", lambda *_: os._exit(7))
    told = machine.run(ask, [QUESTION])
    assert told.unknown == "the process that asks ended too early (exit code 7)"
    assert [one.verdict for one in told.answers] == [PacketVerdict.UNKNOWN]


def test_a_process_that_is_late_leaves_it_unknown(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allowsync.packetpath.inquiry.inquire", lambda *_: time.sleep(60))
    told = machine.run(lambda: ask([QUESTION], timeout=0.1))
    assert told.unknown == "packets were not tried within 0.1 s"


def test_what_fails_in_the_copy_is_said(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allowsync.packetpath.inquiry.inquire", lambda *_: 1 // 0)
    told = machine.run(ask, [QUESTION])
    assert told.unknown.startswith("the copy failed: ZeroDivisionError")


def test_ipsec_is_named(machine: Namespace) -> None:
    assert [one.verdict for one in machine.run(ask, [QUESTION]).answers] == [
        PacketVerdict.DELIVERED
    ]
    machine.batch("xfrm policy add src 203.0.113.0/24 dst 192.0.2.10/32 dir in action block")
    told = machine.run(ask, [QUESTION])
    assert [one.verdict for one in told.answers] == [PacketVerdict.UNKNOWN]
    assert told.machine.caveats == ("IPsec policies decide about packets",)
    machine.batch("xfrm policy flush")


def test_an_outgoing_policy_decides_nothing(machine: Namespace) -> None:
    machine.batch("xfrm policy add src 192.0.2.10/32 dst 198.51.100.0/24 dir out action block")
    told = machine.run(ask, [QUESTION])
    assert (told.machine.caveats, told.answers[0].verdict) == ((), PacketVerdict.DELIVERED)


def test_a_place_for_tc_filters_without_any_decides_nothing(machine: Namespace) -> None:
    machine.command("tc", "qdisc", "add", "dev", "eth0", "clsact")
    told = machine.run(ask, [QUESTION])
    assert (told.machine.caveats, told.answers[0].verdict) == ((), PacketVerdict.DELIVERED)


CLSACT: Final = "tc qdisc add dev eth0 clsact"
FILTER: Final = "tc filter add dev eth0 {} protocol all bpf da bytecode '1,6 0 0 0'"
# What keeps the router from finding this machine, or answers from leaving: done, undone, and said.
SILENT: Final = {
    ("ip link set eth0 arp off", "ip link set eth0 arp on"): (
        "eth0 asks no neighbours, and answers none (arp off)"
    ),
    (
        "echo 8 >/proc/sys/net/ipv4/conf/eth0/arp_ignore",
        "echo 2 >/proc/sys/net/ipv4/conf/eth0/arp_ignore",
    ): "eth0 answers no ARP request (arp_ignore=8)",
    (
        "tc qdisc replace dev eth0 root blackhole",
        "tc qdisc delete dev eth0 root",
    ): "the queue of eth0 (tc qdisc blackhole) decides about answers",
    (f"{CLSACT}; {FILTER.format('egress')}", f"{CLSACT.replace('add', 'delete')}"): (
        "a tc filter at eth0 decides about answers"
    ),
    (f"{CLSACT}; {FILTER.format('ingress')}", f"{CLSACT.replace('add', 'delete')}"): (
        "a tc filter at eth0 decides first"
    ),
}


def test_who_is_not_found_or_does_not_answer_is_unknown(machine: Namespace) -> None:
    for (done, undone), why in SILENT.items():
        machine.command("sh", "-ec", done)
        assert verdicts(machine) == {"eth0": (PacketVerdict.UNKNOWN, why)}
        machine.command("sh", "-ec", undone)
        assert verdicts(machine) == {"eth0": (PacketVerdict.DELIVERED, "")}


HASHED: Final = "a hash by a number that the kernel keeps to itself decides"
BY_CPU: Final = "the processor that handles a packet decides"
# Rules that go by what each kernel, or each packet, has otherwise, and such that do not.
BY_CHANCE: Final = {
    "nft add rule ip f i tcp dport 8096 jhash ip saddr mod 2 0 drop": HASHED,
    "nft add rule ip f i tcp dport 22 jhash ip saddr mod 2 0 drop": "",
    "nft add rule ip f i jhash ip saddr mod 1 seed 7 offset 3 0 drop": "",
    "nft add rule ip f i meta cpu 0 tcp dport 8096 drop": BY_CPU,
    "iptables-nft -A INPUT -m cpu --cpu 1 -p tcp --dport 8096 -j DROP": BY_CPU,
    "iptables-legacy -A INPUT -p tcp --dport 8096 -m cpu --cpu 0 -j DROP": BY_CPU,
}
EMPTIED: Final = """nft flush ruleset; iptables-legacy -F
nft add table ip f; nft add chain ip f i '{ type filter hook input priority 0; }'"""


def test_what_is_otherwise_in_each_kernel_is_unknown(machine: Namespace) -> None:
    for rule, why in BY_CHANCE.items():
        machine.command("sh", "-ec", f"{EMPTIED}\n{rule}")
        expected = (PacketVerdict.UNKNOWN, why) if why else (PacketVerdict.DELIVERED, "")
        assert verdicts(machine) == {"eth0": expected}, rule


ONE_LISTENS: Final = """
import socket, sys
listening = socket.create_server(("", 8096))
print("listens", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_whether_a_program_listens_is_not_taken_from_the_copy(
    machine: Namespace, tool: str
) -> None:
    machine.command(tool, *["-A", "INPUT", "-m", "socket", "--nowildcard", "-j", "ACCEPT"])
    machine.command(tool, *["-P", "INPUT", "DROP"])
    why = "whether a program listens there decides, and none does now"
    assert verdicts(machine) == {"eth0": (PacketVerdict.UNKNOWN, why)}
    with machine.start(sys.executable, "-c", ONE_LISTENS) as listening:
        assert listening.stdout is not None
        assert listening.stdin is not None
        assert listening.stdout.readline() == "listens\n"
        assert verdicts(machine) == {"eth0": (PacketVerdict.DELIVERED, "")}
        listening.stdin.close()


AT_ETH0: Final = (
    "table netdev t { chain i { type filter hook ingress device eth0 priority 0\n"
    "ip saddr 203.0.113.7 drop\n}\n}"
)
MACVLAN: Final = ("link add mv0 link eth0 type macvlan", "link set mv0 up")


def test_rules_at_the_interface_below_decide_first(machine: Namespace) -> None:
    machine.batch(
        *MACVLAN, "address add 192.0.2.130/25 dev mv0", "route add default dev mv0 metric 9"
    )
    assert verdicts(machine) == {
        "eth0": (PacketVerdict.DELIVERED, ""),
        "mv0": (PacketVerdict.DELIVERED, ""),
    }
    machine.nft(AT_ETH0)
    assert verdicts(machine) == {
        "eth0": (PacketVerdict.DROPPED, ""),
        "mv0": (PacketVerdict.UNKNOWN, "rules at eth0 decide first"),
    }


def test_programs_at_the_port_of_a_bridge_decide_first(machine: Namespace) -> None:
    machine.batch(
        *("link add br0 type bridge", "link set br0 up", "link set eth0 master br0"),
        *("address flush dev eth0", "address add 192.0.2.10/24 dev br0"),
        "route add default via 192.0.2.1",
    )
    machine.nft(AT_ETH0)
    assert verdicts(machine) == {"br0": (PacketVerdict.DROPPED, "")}
    index = machine.run(socket.if_nametoindex, "eth0")
    machine.run(bpf.attach_to_interface, bpf.load(bpf.XDP), index)
    assert verdicts(machine) == {
        "br0": (PacketVerdict.UNKNOWN, "an XDP program at eth0 decides first")
    }


LISTENS: Final = """
import pathlib, os, socket, sys
pathlib.Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
listening = socket.create_server(("", 8096))
print("listens", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group, empty again at the end."""
    mounts = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
    made = next(one for one in mounts if (one / "cgroup.controllers").exists())
    made /= f"allowsync-test-{os.getpid()}"
    made.mkdir()
    yield made
    assert eventually(lambda: not (made / "cgroup.procs").read_text())
    made.rmdir()


@pytest.mark.parametrize("way", [bpf.INGRESS, bpf.EGRESS])
def test_filters_of_a_service_are_named(machine: Namespace, group: Path, way: int) -> None:
    with machine.start(sys.executable, "-c", LISTENS, str(group)) as listening:
        assert listening.stdout is not None
        assert listening.stdin is not None
        assert listening.stdout.readline() == "listens\n"
        assert machine.run(ask, [QUESTION]).machine.caveats == ()
        bpf.attach_to_group(bpf.load(bpf.SKB), group, way)
        said = f"BPF programs of the control group {group.name} (8096/tcp), as IPAddressDeny= sets"
        assert machine.run(ask, [QUESTION]).machine.caveats == (f"{said} them",)
        other = Question(QUESTION.source, "tcp", 22)
        assert machine.run(ask, [other]).machine.caveats == ()
        listening.stdin.close()


def verdicts(machine: Namespace) -> dict[str, tuple[PacketVerdict, str]]:
    """What a packet meets, and why it is unknown, by interface."""
    answers = machine.run(ask, [QUESTION]).answers
    return {one.question.interface: (one.verdict, one.reason) for one in answers}


@pytest.mark.parametrize("rule", ['iifkind "veth"', "iiftype ether", 'iifkind "tun"'])
def test_what_an_interface_of_another_kind_meets_is_unknown(machine: Namespace, rule: str) -> None:
    machine.batch(
        *("tuntap add vpn0 mode tun", "link set vpn0 up", "address add 192.0.2.130/25 dev vpn0"),
        "route add default dev vpn0 metric 9",
    )
    machine.nft(
        f"table inet t {{ chain i {{ type filter hook input priority 0\n"
        f"meta {rule} tcp dport 22 drop\nmeta {rule} tcp dport 8096 accept\n}}\n}}"
    )
    assert verdicts(machine) == {
        "eth0": (PacketVerdict.DELIVERED, ""),
        "vpn0": (
            PacketVerdict.UNKNOWN,
            "the kind of an interface decides, and that of the copy is another",
        ),
    }
    machine.nft("flush ruleset")
    machine.nft(
        f"table inet t {{ chain i {{ type filter hook input priority 0\n"
        f"tcp dport 22 meta {rule} drop\n}}\n}}"
    )
    assert verdicts(machine)["vpn0"][0] is PacketVerdict.DELIVERED


def test_nothing_is_left_of_a_process_that_is_killed(machine: Namespace) -> None:
    before = machine.command("ip", "-d", "address"), machine.command("nft", "list", "ruleset")
    for _ in range(KILLS):
        with machine.start("env", f"{OURS}=1", sys.executable, "-I", "-c", ASKS) as asking:
            time.sleep(random.uniform(0.05, 0.4))
            asking.kill()
    assert eventually(lambda: not left())
    after = machine.command("ip", "-d", "address"), machine.command("nft", "list", "ruleset")
    assert after == before


def left() -> list[str]:
    """What still runs of those that asked, and of tools of a copy that ended."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        copy = re.search(r"XTABLES_LOCKFILE=(/proc/\d+)/", environment)
        if f"{OURS}=" in environment or (copy and not Path(copy[1]).exists()):
            found.append(process.name)
    return found
