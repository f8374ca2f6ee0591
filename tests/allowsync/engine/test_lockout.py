"""Who is typing is warned before they lock themselves out."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import ip_address

import pytest
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.nftables import TYPE, NftablesOptions

from allowsync.config.settings import Target
from allowsync.engine.lockout import Session, cut_off, parse
from allowsync.model.plan import Plan
from allowsync.model.types import Entry
from tests.support.values import net

SSH = Session(ip_address("81.2.69.7"), 22)


def target(*ports: Port, interfaces: tuple[str, ...] = ("lo",)) -> Target:
    options = NftablesOptions(ports=ports, open_interfaces=interfaces)
    return Target("ssh/nftables", "ssh", TYPE, options)


def plan(*networks: str, repair: tuple[str, ...] = ("it does not exist",)) -> Plan:
    return Plan("ssh/nftables", add=tuple(Entry(net(one)) for one in networks), repair=repair)


GUARDED = target(Port(20, 30, Protocol.TCP))


def test_a_session_is_read_as_sshd_tells_it() -> None:
    assert parse("81.2.69.7 50000 81.2.69.1 22") == SSH
    assert parse("::ffff:81.2.69.7 50000 ::ffff:81.2.69.1 22") == SSH
    assert parse("fe80::1%eth0 50000 fe80::2%eth0 2222") == Session(ip_address("fe80::1"), 2222)


@pytest.mark.parametrize("text", ["", "x", "a b c d", "81.2.69.7 1 2 x", "81.2.69.7 1 2 999999"])
def test_anything_else_is_no_session(text: str) -> None:
    assert parse(text) is None


def test_a_gate_before_ones_own_port_that_leaves_one_out_is_told() -> None:
    said = cut_off(GUARDED, plan("81.2.70.0/24"), SSH)
    assert "81.2.69.7" in said
    assert "22/tcp" in said


@pytest.mark.parametrize(
    ("one", "what", "session"),
    [
        (GUARDED, plan("81.2.69.0/24"), SSH),
        (GUARDED, Plan("ssh/nftables", keep=(Entry(net("81.2.70.0/24")),)), SSH),
        (GUARDED, None, SSH),
        (target(Port(22, 22, Protocol.UDP)), plan(), SSH),
        (target(Port(23, 23, Protocol.TCP)), plan(), SSH),
        (GUARDED, plan(), Session(ip_address("127.0.0.1"), 22)),
    ],
    ids=["let in", "nothing to do", "not read", "udp", "another port", "from here"],
)
def test_nobody_is_warned_for_nothing(one: Target, what: Plan | None, session: Session) -> None:
    assert cut_off(one, what, session) == ""


def test_an_open_interface_is_named_for_it_may_be_the_way() -> None:
    one = target(Port(22, 22, Protocol.TCP), interfaces=("lo", "wg0"))
    assert "unless it comes through wg0" in cut_off(one, plan(), SSH)


def test_the_session_is_found_through_sudo_which_takes_the_variable_away() -> None:
    asks = "from allowsync.engine.lockout import current; print(current())"
    above = (
        "import os, subprocess, sys\n"
        "bare = {key: value for key, value in os.environ.items() if key != 'SSH_CONNECTION'}\n"
        f"subprocess.run([sys.executable, '-c', {asks!r}], env=bare, check=True)"
    )
    environ = {**os.environ, "SSH_CONNECTION": "81.2.69.7 50000 81.2.69.1 22"}
    done = subprocess.run(
        [sys.executable, "-c", above], env=environ, capture_output=True, text=True, check=True
    )
    assert "81.2.69.7" in done.stdout
