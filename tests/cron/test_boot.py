"""A real boot: the gate is there before the network is, and the timer keeps it in sync."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.boot import ADDRESS, Machine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(480)]

CONFIGURATION = """\
    hosts:
      alice: alice.example.org
      office: {networks: [203.0.113.0/24]}
    allowlists:
      jellyfin:
        targets: [{nftables: {ports: [8096/tcp]}}]
    resolver: {nameservers: ["127.0.0.1:5353"], timeout: 15s, attempts: 1}
    """

# Answers for one friend, for as long as it runs.
NAME_SERVER = """\
    import time
    from testkit.fake_dns.nameserver import NameServer
    with NameServer({"alice.example.org": ["81.2.69.1"]}, port=5353):
        time.sleep(600)
    """

# Somebody's own drop-in, which an installation leaves alone.
SOON = """\
    [Timer]
    OnCalendar=*:*:0/2
    RandomizedDelaySec=0
    """

# Looks as soon as the network may be configured, and before it is.
WITNESS = """\
    [Unit]
    DefaultDependencies=no
    After=network-pre.target
    Before=systemd-networkd.service network.target
    [Service]
    Type=oneshot
    ExecStart=/bin/sh -c 'nft list ruleset > /test/witness; ip address >> /test/witness'
    [Install]
    WantedBy=sysinit.target
    """

# Waits until the timer has had a run that went well, but not for ever.
UP = """
    for _ in $(seq 600); do
        systemctl show -p Result -p ExecMainExitTimestampMonotonic allowsync.service > /test/run
        grep -q Result=success /test/run && grep -q "Monotonic=[1-9]" /test/run && break
        sleep 0.2
    done
    """


@pytest.fixture
def machine(tmp_path: Path, as_root: None) -> Machine:
    made = Machine(tmp_path)
    made.write("/etc/allowsync/config.yaml", CONFIGURATION, 0o600)
    made.write("/etc/systemd/system/allowsync.timer.d/soon.conf", SOON)
    made.write("/etc/systemd/system/witness.service", WITNESS)
    made.write("/test/names.py", NAME_SERVER)
    made.install()
    made.chroot("systemctl enable witness.service")
    return made


def entries(order: list[dict[str, str]], unit: str, said: str) -> float:
    """When systemd said of a unit that it is so far, in seconds since the machine started."""
    for one in order:
        if one.get("UNIT") == unit and one["MESSAGE"].startswith(said):
            return int(one["__MONOTONIC_TIMESTAMP"]) / 1e6
    raise AssertionError(f"nothing in the journal about {unit} being {said}")


def test_the_gate_is_there_before_the_network_and_the_timer_keeps_it(machine: Machine) -> None:
    installed = machine.boot(
        f"""
        /opt/allowsync/bin/python /test/names.py &
        until ss -lun | grep -q 5353; do sleep 0.1; done
        allowsync schedule install
        {UP}
        nft list table inet allowsync_jellyfin
        allowsync schedule show --output json > /test/show
        ls -l /var/lib/allowsync > /test/state
        """
    )
    assert "81.2.69.1" in installed
    assert "203.0.113.0/24" in installed
    shown = json.loads(machine.read("/test/show"))
    assert (shown["enabled"], shown["active"], shown["last_exit_code"]) == (True, True, 0)
    assert {one["found"] for one in shown["files"]} == {"current"}
    assert re.search(r" allowsync +allowsync .* state\.db$", machine.read("/test/state"), re.M)

    again = machine.boot(
        f"""
        {UP}
        journalctl --boot --output json > /test/journal
        nft list table inet allowsync_jellyfin
        # Another run may have begun meanwhile, and has no status yet.
        ended() {{ systemctl show -p ExecMainStatus allowsync.service | grep =3; }}
        for _ in $(seq 900); do ended && break; sleep 0.1; done
        """
    )
    witness = machine.read("/test/witness")
    assert "table inet allowsync_jellyfin" in witness
    assert "81.2.69.1" in witness
    assert ADDRESS not in witness, "the network was up already"
    order = [json.loads(line) for line in machine.read("/test/journal").splitlines()]
    restored = entries(order, "allowsync-restore.service", "Finished")
    assert restored <= entries(order, "network-pre.target", "Reached")
    assert restored < entries(order, "systemd-networkd.service", "Started")
    # Nobody answers any more: the timer has run, and kept what was known.
    assert "ExecMainStatus=3" in again
    assert "81.2.69.1" in again


def test_cron_restores_what_was_known_at_boot(machine: Machine) -> None:
    said = machine.boot(
        """
        /opt/allowsync/bin/python /test/names.py &
        until ss -lun | grep -q 5353; do sleep 0.1; done
        allowsync apply
        allowsync schedule install --cron --interval 1m
        """
    )
    assert "started by cron" in said
    again = machine.boot(
        """
        for _ in $(seq 500); do
            nft list table inet allowsync_jellyfin && break
            sleep 0.2
        done
        journalctl -b -o cat -u cron.service
        """
    )
    assert "81.2.69.1" in again
    assert "/usr/local/bin/allowsync apply --offline --quiet)" in again
