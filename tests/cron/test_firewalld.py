"""A booted machine with a real firewalld: what its start and its reloads do to targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.boot import Machine
from tests.support.sampling import share

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(480)]

CONFIGURATION: Final = """\
    hosts:
      office: {networks: [203.0.113.0/24]}
    allowlists:
      jellyfin:
        targets: [{ipset: {ports: [8096/tcp], iptables: nft}}]
      films:
        targets: [{nftables: {ports: [8920/tcp]}}]
      songs:
        targets: [{firewalld: {ports: [4533/tcp]}}]
    resolver: {nameservers: ["127.0.0.1:5353"], timeout: 15s, attempts: 1}
    """
# Its ports are open to everyone, but for a gate.
ZONE: Final = """\
    <zone><port port="8096" protocol="tcp"/><port port="8920" protocol="tcp"/></zone>
    """
HOWS: Final = " ".join(("--reload", "--complete-reload")[: share(2, 1)])


@pytest.fixture
def machine(tmp_path: Path, as_root: None) -> Machine:
    made = Machine(tmp_path)
    made.write("/etc/allowsync/config.yaml", CONFIGURATION, 0o600)
    made.write("/etc/firewalld/zones/public.xml", ZONE)
    made.install()
    made.chroot("systemctl enable firewalld.service")
    return made


def test_what_firewalld_removes_is_seen_and_put_back(machine: Machine) -> None:
    out = machine.boot(
        f"""
        look() {{
            ip route replace default via 198.51.100.9 dev cable0  # networkd may have dropped it
            echo "== $1"
            nft list tables | grep -e films -e firewalld
            iptables -t mangle -S PREROUTING | grep -e "-j allowsync-jellyfin"
            allowsync check | grep -E "^error|is unknown|firewall-cmd"
            firewall-cmd --ipset=allowsync-songs-4 --get-entries
        }}
        ip route replace default via 198.51.100.9 dev cable0
        allowsync apply
        firewall-cmd --reload > /dev/null
        allowsync apply > /dev/null
        look gated
        for how in {HOWS}; do
            firewall-cmd $how > /dev/null
            look removed
            allowsync explain 185.199.108.7 --port 8096 | grep -E "targets|jellyfin"
            allowsync apply --offline > /dev/null
            look repaired
        done
        allowsync schedule install > /dev/null
        systemctl restart firewalld.service
        for _ in $(seq 900); do
            sleep 0.1
            systemctl list-jobs --no-legend | grep -q allowsync-restore && continue
            systemctl show -p ActiveState allowsync-restore.service | grep -q =inactive && break
        done
        firewall-cmd --ipset=allowsync-songs-4 --remove-entry=203.0.113.0/24 > /dev/null
        systemctl start allowsync.service
        look restarted
        rm /etc/firewalld/zones/public.xml
        firewall-cmd --reload > /dev/null
        allowsync apply --offline > /dev/null
        look closed
        """,
        seconds=300,
    )
    assert "firewalld has not loaded ipset allowsync-songs-4" in out.split("== ")[0]
    seen = {one.split("\n", 1)[0]: one for one in out.split("== ")[1:]}
    for name, told in seen.items():
        assert "table inet firewalld" in told, told
        assert "table inet allowsync_films" in told, "firewalld leaves others' tables alone"
        assert ("-j allowsync-jellyfin" in told) == (name != "removed"), out
        assert "each 'firewall-cmd --reload' removes this gate" in told
        assert ("8096/tcp is open to everyone over IPv4" in told) == (name == "removed")
        assert "is unknown" not in told
        assert "\n203.0.113.0/24\n" in told, "the service may speak to firewalld"
    assert "8920/tcp" not in seen["removed"]
    rule = "inet firewalld filter_IN_public_allow: tcp dport 8096 accept"
    assert f"gets in: {rule}" in seen["removed"]
    assert "error" not in seen["gated"] + seen["repaired"] + seen["restarted"]
    assert "is locked out of 8096/tcp over IPv4" in seen["closed"]
    assert "is locked out of 8920/tcp over IPv4" in seen["closed"]
