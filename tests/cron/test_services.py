"""The services do their work within their walls, for each kind of target, on a booted system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.boot import Machine
from tests.support.once import once

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(480)]

CONFIGURATION = """\
    hosts:
      alice: alice.example.org
      office: {{networks: [203.0.113.0/24]}}
    allowlists:
      jellyfin:
        targets: [{targets}]
    resolver: {{nameservers: ["127.0.0.1:5353"], timeout: 15s, attempts: 1}}
    {more}
    """


@dataclass(frozen=True)
class Case:
    """A configuration, what shows what it did, how it is damaged, whether root is needed."""

    targets: str
    listing: str
    damage: str = ""
    user: str = "allowsync"
    more: str = ""


# UFW first: others flush what it loaded at boot.
CASES = {
    "ufw": Case("{ufw: {ports: [8096/tcp]}}", "ufw status", user="root"),
    "nftables": Case(
        "{nftables: {ports: [8096/tcp]}}",
        "nft list table inet allowsync_jellyfin",
        "nft flush ruleset",
    ),
    "ipset": Case(
        "{ipset: {ports: [8096/tcp]}}",
        "ipset save allowsync-jellyfin-4; iptables -t mangle -S allowsync-jellyfin",
        "iptables -t mangle -F; iptables -t mangle -X; ipset destroy allowsync-jellyfin-4",
    ),
    "bare": Case("ipset", "ipset save allowsync-jellyfin-4", "ipset destroy allowsync-jellyfin-4"),
    "legacy": Case(
        "{ipset: {ports: [8096/tcp], iptables: legacy}}",
        "ipset save allowsync-jellyfin-4; iptables-legacy -t mangle -S allowsync-jellyfin",
        "iptables-legacy -t mangle -F; iptables-legacy -t mangle -X",
        user="root",
    ),
    "file": Case(
        "{file: {path: /srv/friends/allowed.txt, check: [grep, 203.0.113, '{path}'], "
        "reload: [systemctl, reload, reader.service]}}",
        "cat /srv/friends/allowed.txt /run/reloaded",
        user="root",
    ),
    # At boot: the gate is back although the reader of the file beside it does not run yet.
    "mixed": Case(
        "{nftables: {ports: [8096/tcp]}}, {file: {path: /srv/friends/mixed.txt, "
        "reload: [systemctl, reload, reader.service]}}",
        "nft list table inet allowsync_jellyfin; systemctl start reader.service",
        "nft flush ruleset; rm /srv/friends/mixed.txt; systemctl stop reader.service",
        user="root",
    ),
    "theirs": Case(
        "{file: {path: /srv/theirs/allowed.txt}}", "cat /srv/theirs/allowed.txt", user="root"
    ),
    "credential": Case(
        "{nftables: {ports: [8096/tcp]}}",
        "nft list table inet allowsync_jellyfin; cat /test/pinged",
        more="heartbeat: {url_credential: ping, kind: plain}",
    ),
}

# Answers for a friend, and notes who pings.
SERVER = """\
    import pathlib
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from testkit.fake_dns.nameserver import NameServer

    class Pinged(BaseHTTPRequestHandler):
        def do_GET(self):
            pathlib.Path("/test/pinged").write_text(self.path + chr(10))
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET

    with NameServer({"alice.example.org": ["81.2.69.1"]}, port=5353):
        HTTPServer(("127.0.0.1", 8000), Pinged).serve_forever()
    """

READER = """\
    [Service]
    ExecStart=sleep infinity
    ExecReload=/bin/sh -c 'echo reloaded > /run/reloaded'
    """

EACH = """\
    set -x
    case=$1
    cp /test/$case.yaml /etc/allowsync/config.yaml
    chmod 600 /etc/allowsync/config.yaml
    allowsync schedule install --interval 12h || exit
    systemctl start allowsync.service
    systemctl show -p Result -p ExecMainStatus -p User allowsync.service
    (. /test/$case.listing)
    if test -s /test/$case.damage; then
        (. /test/$case.damage)
        systemctl start allowsync-restore.service
        systemctl show -p Result -p ExecMainStatus allowsync-restore.service
        (. /test/$case.listing)
    fi
    # As somebody looks by hand, and makes a state that is root's.
    allowsync clear --yes
    rm -f /var/lib/allowsync/*
    allowsync apply
    systemctl start allowsync.service
    systemctl show -p Result -p ExecMainStatus allowsync.service
    allowsync clear --yes
    journalctl -b -o cat -u allowsync.service -u allowsync-restore.service | tail -40
    """


@pytest.fixture
def outcomes(as_root: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What happened with each configuration."""
    return once(tmp_path_factory, "services", lambda: found_out(tmp_path_factory.mktemp("machine")))


def found_out(folder: Path) -> dict[str, str]:
    """What happens with each configuration, all on one system, one after another."""
    machine = Machine(folder)
    for name, case in CASES.items():
        text = CONFIGURATION.format(targets=case.targets, more=case.more)
        machine.write(f"/test/{name}.yaml", text)
        machine.write(f"/test/{name}.listing", case.listing + "\n")
        machine.write(f"/test/{name}.damage", case.damage)
    machine.write("/test/each", EACH)
    machine.write("/test/server.py", SERVER)
    machine.write("/etc/credstore/ping", "http://127.0.0.1:8000/ping/1\n", 0o600)
    machine.write("/etc/systemd/system/reader.service", READER)
    machine.write("/srv/friends/README", "Friends.\n")
    machine.write("/srv/theirs/README", "Friends.\n")
    machine.write("/etc/allowsync/README", "Friends.\n")
    machine.install()
    machine.chroot("chown games /srv/theirs; chmod 700 /srv/theirs")
    machine.chroot("sed -i s/ENABLED=no/ENABLED=yes/ /etc/ufw/ufw.conf")
    machine.boot(
        f"""
        /opt/allowsync/bin/python /test/server.py &
        until ss -ltn | grep -q :8000; do sleep 0.1; done
        systemctl start reader.service
        for case in {" ".join(CASES)}; do
            sh /test/each $case > /test/$case.out 2>&1
        done
        """,
        seconds=240,
    )
    return {name: machine.read(f"/test/{name}.out") for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_the_services_do_their_work(outcomes: dict[str, str], name: str) -> None:
    said, case = outcomes[name], CASES[name]
    ends = 3 if case.damage else 2
    assert said.count("\nResult=success\n") == ends, said
    assert said.count("\nExecMainStatus=0\n") == ends, said
    assert said.count("81.2.69.1") >= ends - 1, said
    assert f"\nUser={case.user}\n" in said, said


def test_a_reader_is_told_of_its_file(as_root: None, outcomes: dict[str, str]) -> None:
    assert "\nreloaded\n" in outcomes["file"]


def test_a_secret_comes_as_a_credential(as_root: None, outcomes: dict[str, str]) -> None:
    assert "\n/ping/1\n" in outcomes["credential"]
