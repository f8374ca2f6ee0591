"""Real boots with rules that other programs saved: all are loaded, and the gate is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.boot import Machine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(480)]

CONFIGURATION = """\
    hosts:
      office: {networks: [203.0.113.0/24]}
    allowlists:
      jellyfin:
        targets: [{ipset: {ports: [8096/tcp], iptables: nft}}]
    resolver: {nameservers: ["127.0.0.1:5353"], timeout: 15s, attempts: 1}
    """

# In the order of the real ones (Debian's packages).
NETFILTER_PERSISTENT = """\
    [Unit]
    DefaultDependencies=no
    Wants=network-pre.target systemd-modules-load.service local-fs.target
    Before=network-pre.target shutdown.target
    After=systemd-modules-load.service local-fs.target
    Conflicts=shutdown.target
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=/bin/sh -c 'iptables-restore < /etc/iptables/rules.v4'
    [Install]
    WantedBy=multi-user.target
    """
FIREWALLD = """\
    [Unit]
    Before=network-pre.target
    Wants=network-pre.target
    After=dbus.service
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=/bin/sh -c 'iptables -t mangle -F; iptables -t mangle -X'
    [Install]
    WantedBy=multi-user.target
    """


@pytest.fixture
def machine(tmp_path: Path, as_root: None) -> Machine:
    made = Machine(tmp_path)
    made.write("/etc/allowsync/config.yaml", CONFIGURATION, 0o600)
    made.write("/etc/systemd/system/netfilter-persistent.service", NETFILTER_PERSISTENT)
    made.write("/etc/systemd/system/firewalld.service", FIREWALLD)
    made.write("/etc/iptables/rules.v4", "*filter\nCOMMIT\n")
    made.install()
    made.chroot("systemctl enable netfilter-persistent.service firewalld.service")
    return made


def test_rules_that_were_saved_with_a_gate_are_loaded_and_the_gate_is_put_back(
    machine: Machine,
) -> None:
    machine.boot(
        """
        allowsync apply
        allowsync schedule install
        iptables -A INPUT -p tcp --dport 22 -j ACCEPT
        iptables-save > /etc/iptables/rules.v4
        """
    )
    assert "--match-set allowsync-jellyfin-4" in machine.read("/etc/iptables/rules.v4")
    again = machine.boot(
        """
        journalctl --boot --output cat | grep "ordering cycle"
        systemctl show -p Result netfilter-persistent.service
        iptables -S INPUT
        iptables -t mangle -S PREROUTING
        ipset save allowsync-jellyfin-4
        allowsync check --no-packets
        for one in firewalld netfilter-persistent; do
            sed -i -E '/(^:|-A |-j )allowsync[-_]jellyfin( |$)/d' /etc/iptables/rules.v4
            systemctl restart $one.service
            for _ in $(seq 900); do
                sleep 0.1
                systemctl list-jobs --no-legend | grep -q allowsync-restore && continue
                systemctl show -p ActiveState allowsync-restore.service | grep -q =inactive && break
            done
            iptables -t mangle -S PREROUTING | grep -e "-j allowsync-jellyfin"
            echo "looked after $one"
        done
        """
    )
    assert "ordering cycle" not in again
    assert "Result=success" in again
    assert "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT" in again
    assert "-j allowsync-jellyfin" in again.partition("-P PREROUTING")[2]
    assert "add allowsync-jellyfin-4 203.0.113.0/24" in again
    assert "/etc/iptables/rules.v4 holds the gate of jellyfin" in again
    assert "-j allowsync-jellyfin\nlooked after firewalld" in again
    assert "-j allowsync-jellyfin\nlooked after netfilter-persistent" in again
