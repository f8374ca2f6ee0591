"""Somebody else at our rules: it is told, and put right, and nothing else is touched."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.ports import Port, Protocol

from allowsync.backend.api import BackendError
from allowsync.model.plan import Plan
from allowsync.model.types import Entry
from tests.support.gates import allow, planned
from tests.support.netns import Namespace
from tests.support.ufw import (
    DEFAULTS,
    LOCK,
    RULES,
    RULES6,
    backend,
    kernel,
    text,
    with_ufw,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

HOME, HOME6, MOVED = "81.2.69.142/32", "2a02:8109:9a40::/64", "81.2.69.77/32"
WANTED = {ip_network(HOME), ip_network(HOME6)}
STRANGERS = ("allow 22/tcp", "allow from 9.9.9.9 to any port 443 proto tcp", "deny 25")
MISSING4 = "2 rules are missing from /etc/ufw/user.rules"
NOT_LOADED = "2 rules are in /etc/ufw/user.rules but not in the kernel"
BYPASSED = "packets do not come to ufw's rules: its chains are not in the kernel, or not all"
NOT_FORGOTTEN = "1 rule is in the kernel but not in /etc/ufw/user.rules"

# What somebody does, and what is then said to be wrong.
DEEDS = {
    "ufw delete allow proto tcp from 81.2.69.142 to any port 443": [
        "1 rule is missing from /etc/ufw/user.rules"
    ],
    "iptables -F ufw-user-input": [NOT_LOADED],
    "iptables -D ufw-user-input -p tcp --dport 443 -s 81.2.69.142 -j ACCEPT": [
        "1 rule is in /etc/ufw/user.rules but not in the kernel"
    ],
    "iptables -A ufw-user-input -p tcp --dport 443 -s 81.2.69.142 -j ACCEPT": [NOT_FORGOTTEN],
    "iptables -A ufw-user-input -p tcp --dport 443 -s 6.6.6.6 -j ACCEPT": [NOT_FORGOTTEN],
    "ip6tables -F ufw6-user-input": [
        "2 rules are in /etc/ufw/user6.rules but not in the kernel"
    ],
    "sed -i '/81.2.69.142/s/ACCEPT/DROP/' /etc/ufw/user.rules": [
        MISSING4,
        "2 rules are in /etc/ufw/user.rules not as configured",
        "2 rules are in the kernel but not in /etc/ufw/user.rules",
    ],
    "ufw allow proto tcp from 6.6.6.6 to any port 80 comment allowsync:x:mallory": [
        "2 rules are missing from /etc/ufw/user.rules",
        "1 rule is in /etc/ufw/user.rules not as configured",
    ],
}  # fmt: skip
FOR_NOTHING = ("ufw reload", "ufw disable; ufw --force enable", "ufw allow 80", "ufw logging high")


def by_hand(source: str, *, comment: bool = False) -> list[str]:
    """The arguments of ufw for a rule that somebody makes."""
    said = f"allow proto tcp from {source} to any port 443"
    return f"{said} comment mine".split() if comment else said.split()


def lets_in(inside: Namespace) -> set[object]:
    return {entry.network for entry in inside.run(backend().read).entries}


def between_strangers(inside: Namespace) -> None:
    """Put rules of ours between other people's."""
    inside.command("sh", "-ec", "; ".join(f"ufw {line}" for line in STRANGERS[:2]))
    allow(inside, backend(), HOME, HOME6)
    inside.command("ufw", *STRANGERS[2].split())


@pytest.fixture
def whole(as_root: None, warm: None) -> Iterator[Namespace]:
    """A UFW with rules of ours between other people's."""
    with Namespace() as inside:
        with_ufw(inside, between_strangers)
        yield inside


def others(inside: Namespace) -> list[str]:
    """The tuples of everybody else."""
    lines = (text(inside) + text(inside, RULES6)).splitlines()
    mine = b"allowsync:x:".hex()
    return [line for line in lines if line.startswith("### tuple") and mine not in line]


@pytest.mark.parametrize(("deed", "said"), DEEDS.items(), ids=lambda value: str(value)[:50])
def test_whatever_somebody_does_is_told_and_repaired(
    whole: Namespace, deed: str, said: list[str]
) -> None:
    before = others(whole)
    whole.command("sh", "-ec", deed)
    assert list(whole.run(backend().read).flaws) == said
    after = allow(whole, backend(), HOME, HOME6)
    assert {entry.network for entry in after.entries} == WANTED
    assert after.flaws == ()
    assert others(whole) == before
    loaded = kernel(whole)
    whole.command("ufw", "reload")
    assert kernel(whole) == loaded


@pytest.mark.parametrize("deed", FOR_NOTHING)
def test_what_does_not_concern_us_is_no_flaw(whole: Namespace, deed: str) -> None:
    whole.command("sh", "-ec", deed)
    current = whole.run(backend().read)
    assert ({entry.network for entry in current.entries}, current.flaws) == (WANTED, ())


def test_a_reset_takes_us_out_and_the_next_run_after_enabling_brings_us_back(
    whole: Namespace,
) -> None:
    whole.command("ufw", "--force", "reset")
    current = whole.run(backend().read)
    assert current.entries == frozenset()
    assert current.flaws == ("ufw is not active: its rules have no effect",)
    whole.command("ufw", "--force", "enable")
    assert {entry.network for entry in allow(whole, backend(), HOME, HOME6).entries} == WANTED


def test_an_inactive_ufw_fails_the_run_and_nothing_is_written(whole: Namespace) -> None:
    whole.command("ufw", "disable")
    before = text(whole)
    plan = planned(whole.run(backend().read), [ip_network(MOVED)])
    with pytest.raises(BackendError, match=r"not active.*ufw enable"):
        whole.run(backend().apply, plan)
    assert text(whole) == before


def test_a_filter_that_was_flushed_as_a_whole_is_no_ufw_any_more(whole: Namespace) -> None:
    whole.command("iptables", "-F")
    flaws = whole.run(backend().read).flaws
    assert flaws == (BYPASSED,)
    with pytest.raises(BackendError, match="ufw-init flush-all' and then 'ufw reload'"):
        allow(whole, backend(), HOME)
    whole.command("sh", "-ec", "/lib/ufw/ufw-init flush-all; ufw reload")
    assert lets_in(whole) == WANTED
    assert whole.run(backend().read).flaws == ()


def test_an_inactive_ufw_can_be_cleared(whole: Namespace) -> None:
    before = others(whole)
    whole.command("ufw", "disable")
    whole.run(backend().clear)
    assert others(whole) == before
    assert lets_in(whole) == set()


def test_rules_for_ipv6_can_be_cleared_after_it_was_switched_off(whole: Namespace) -> None:
    write(whole, text(whole, DEFAULTS).replace("IPV6=yes", "IPV6=no"), DEFAULTS)
    whole.run(backend().clear)
    assert b"allowsync:x:".hex() not in text(whole, RULES6)


def test_clearing_leaves_files_and_kernel_as_if_we_had_never_been(inside: Namespace) -> None:
    inside.command("sh", "-ec", "; ".join(f"ufw {line}" for line in STRANGERS))
    before = text(inside), text(inside, RULES6), kernel(inside)
    allow(inside, backend(), HOME, HOME6)
    inside.run(backend().clear)
    assert (text(inside), text(inside, RULES6), kernel(inside)) == before


def test_other_ports_in_the_configuration_replace_the_old_rules(whole: Namespace) -> None:
    before = others(whole)
    other = backend(ports=(Port(8096, 8096, Protocol.TCP),))
    after = allow(whole, other, HOME, HOME6)
    assert ({entry.network for entry in after.entries}, after.flaws) == (WANTED, ())
    assert "--dport 443 -s 81.2.69.142" not in text(whole)
    assert others(whole) == before


def test_a_rule_made_by_hand_is_neither_doubled_nor_deleted(inside: Namespace) -> None:
    for protocol in ("tcp", "udp"):
        line = f"allow proto {protocol} from 81.2.69.142 to any port 443 comment mine"
        inside.command("ufw", *line.split())
    before = text(inside)
    current = inside.run(backend().read)
    assert (set(current.entries), set(current.others)) == (set(), {ip_network(HOME)})
    allow(inside, backend(), HOME)
    assert text(inside) == before
    inside.run(backend().clear)
    assert text(inside) == before


def test_a_rule_made_by_hand_for_one_port_leaves_the_other_to_us(inside: Namespace) -> None:
    inside.command("ufw", *by_hand("81.2.69.142"))
    before = text(inside)
    after = allow(inside, backend(), HOME)
    assert ({entry.network for entry in after.entries}, after.flaws) == ({ip_network(HOME)}, ())
    assert text(inside).count("### tuple ###") == 2
    allow(inside, backend())
    assert text(inside) == before


def test_adopting_changes_nothing_but_the_comment(inside: Namespace) -> None:
    inside.command(
        "ufw",
        *[
            "allow",
            "proto",
            "tcp",
            "from",
            "81.2.69.142",
            "to",
            "any",
            "port",
            "443",
            "comment",
            "mine",
        ],
    )
    inside.command("ufw", *by_hand("6.6.6.6"))
    before = text(inside), kernel(inside)
    wanted = [Entry(ip_network(one), ("alice",)) for one in (HOME, HOME6)]
    target = backend(ports=(Port(443, 443, Protocol.TCP),))
    found = inside.run(target.adoptable, wanted)  # type: ignore[attr-defined]
    assert found == (wanted[0],)
    inside.run(target.adopt, found)  # type: ignore[attr-defined]
    changed = before[0].replace(b"mine".hex(), b"allowsync:x:alice".hex())
    assert (text(inside), kernel(inside)) == (changed, before[1])
    current = inside.run(target.read)
    assert ({entry.network for entry in current.entries}, current.flaws) == (
        {ip_network(HOME)}, ())  # fmt: skip


HOLDING = """
import fcntl, sys
file = open("/run/ufw.lock", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_lock_that_is_held_too_long_fails_the_run_and_nothing_is_changed(
    whole: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allowsync_backends.ufw.lock.UfwLock.__init__.__defaults__", (0.2,))
    before = text(whole), kernel(whole)
    with whole.start(sys.executable, "-c", HOLDING) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == "held\n"
        with pytest.raises(BackendError, match=r"another ufw has held /run/ufw\.lock"):
            allow(whole, backend(), MOVED)
        holding.communicate("\n")
    assert (text(whole), kernel(whole)) == before
    assert {entry.network for entry in allow(whole, backend(), MOVED).entries} == {
        ip_network(MOVED)}  # fmt: skip


def test_the_lock_is_the_one_that_ufw_waits_for(whole: Namespace) -> None:
    with whole.start(sys.executable, "-c", HOLDING) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == "held\n"
        with whole.start("ufw", "allow", "81") as waiting:
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(1.0)
            holding.communicate("\n")
            assert waiting.wait(30) == 0
    assert whole.run(LOCK.exists)


def test_a_ufw_that_had_read_before_us_overwrites_us_and_the_next_run_heals_that(
    whole: Namespace,
) -> None:
    stale = text(whole)
    allow(whole, backend(), MOVED)
    write(whole, stale)
    current = whole.run(backend().read)
    assert NOT_LOADED in current.flaws
    after = allow(whole, backend(), MOVED)
    assert ({entry.network for entry in after.entries}, after.flaws) == (
        {ip_network(MOVED)}, ())  # fmt: skip
    assert "81.2.69.142" not in kernel(whole)


@pytest.mark.parametrize("language", ["de_DE.UTF-8", "ja_JP.UTF-8"])
def test_the_language_of_whoever_runs_it_does_not_matter(
    whole: Namespace, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    for name in ("LANG", "LANGUAGE", "LC_ALL"):
        monkeypatch.setenv(name, language)
    assert allow(whole, backend(), MOVED).flaws == ()
    assert [one.what for one in whole.run(backend().check) if "ufw" in one.what] == []


@pytest.mark.parametrize("keep", [0, 1, 200, 700, -1])
def test_a_file_that_was_cut_off_is_told_and_left_alone(whole: Namespace, keep: int) -> None:
    cut = text(whole)[:keep]
    write(whole, cut)
    before = kernel(whole)
    with pytest.raises(BackendError, match=r"user\.rules is damaged"):
        whole.run(backend().read)
    with pytest.raises(BackendError, match=r"user\.rules is damaged"):
        whole.run(backend().apply, Plan("x", add=(Entry(ip_network(MOVED)),)))
    assert (text(whole), kernel(whole)) == (cut, before)
    assert any("damaged" in one.what for one in whole.run(backend().check))


def test_a_full_disk_is_told_and_nothing_is_changed(whole: Namespace) -> None:
    whole.command("sh", "-c", "head -c 2000000 /dev/zero > /etc/ufw/filler; true")
    before = text(whole), kernel(whole)
    many = [f"90.0.{number // 256}.{number % 256}/32" for number in range(300)]
    with pytest.raises(BackendError, match="No space left on device; nothing was changed"):
        allow(whole, backend(), *many)
    assert (text(whole), kernel(whole)) == before
    names = whole.command("ls", "-A", "/etc/ufw")
    assert ".allowsync-" not in names
    whole.command("rm", "/etc/ufw/filler")
    assert len(allow(whole, backend(), *many).entries) == 300


def test_a_disk_that_cannot_be_written_is_told_and_nothing_is_changed(whole: Namespace) -> None:
    before = text(whole), kernel(whole)
    whole.command("mount", "-o", "remount,ro", "/etc/ufw")
    with pytest.raises(BackendError, match="Read-only file system; nothing was changed"):
        allow(whole, backend(), MOVED)
    assert (text(whole), kernel(whole)) == before


def test_rules_the_kernel_does_not_take_leave_the_old_ones_in_file_and_kernel(
    whole: Namespace,
) -> None:
    broken = text(whole).replace("--dport 22 -j ACCEPT", "--dport 22 -j NOWHERE")
    write(whole, broken)
    whole.command("iptables", "-F", "ufw-user-input")
    before = kernel(whole)
    with pytest.raises(BackendError, match="the kernel does not take the rules"):
        allow(whole, backend(), MOVED)
    assert (text(whole), kernel(whole)) == (broken, before)


def test_the_file_before_the_last_change_is_kept_beside(whole: Namespace) -> None:
    before = text(whole)
    allow(whole, backend(), MOVED)
    kept = RULES.with_name("user.rules.before-allowsync")
    assert text(whole, kept) == before
    assert whole.run(kept.stat).st_mode & 0o777 == 0o640


def test_a_ufw_as_it_is_installed_is_not_active(as_root: None) -> None:
    from tests.support.netns import Namespace
    from tests.support.ufw import with_disabled_ufw

    with Namespace() as inside:
        with_disabled_ufw(inside)
        assert inside.run(backend().read).flaws == ("ufw is not active: its rules have no effect",)
        inside.command("sed", "-i", "s/ENABLED=no/ENABLED=yes/", "/etc/ufw/ufw.conf")
        inside.command("/lib/ufw/ufw-init", "start")
        assert allow(inside, backend(), HOME, HOME6).flaws == ()
        assert inside.command("ufw", "status").count("443/") == 4


def test_a_machine_without_ufw_says_so(inside: Namespace) -> None:
    inside.command("sh", "-c", "rm /etc/ufw/user*.rules")
    with pytest.raises(BackendError, match="is the package ufw installed"):
        inside.run(backend().read)
    inside.run(backend().clear)
    assert not inside.run(RULES.exists)
