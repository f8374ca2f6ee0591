"""What waits for a fleet, as systemd runs it: installed, without rights, heard, and removed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from allowsync.fleet.envelope import new_signing_key, public_key_of
from tests.support.boot import Machine
from tests.support.once import once
from tests.support.unpacked import unpacked

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(480)]

FLEET = """\
fleet:
  name: home
  store: {{etcd: {{endpoints: ["http://127.0.0.1:2379"]{user}}}}}
  keys: ["{public}"]
"""
APPLIER = "allowlists: {web: {follow: true, targets: [{nftables: {ports: [443/tcp]}}]}}\n"
RESOLVER = """\
hosts: {{office: {{networks: [{networks}]}}}}
allowlists: {{web: {{publish: true}}}}
state: /test/resolver/state.db
"""
READER = ", user: reader, password_credential: etcd"
WRITER = ", user: root, password_file: /test/root.password"

# No run of the timer comes in between, so that each run was woken.
RARELY = "[Timer]\nOnCalendar=\nOnCalendar=2000-01-01\nPersistent=no\n"

SCRIPT = """
    export ETCDCTL_API=3
    cd /test
    etcd --data-dir /test/etcd > etcd.log 2>&1 &
    until etcdctl endpoint health 2> /dev/null; do sleep 0.1; done
    allowed() { nft list table inet allowsync_web 2> /dev/null | grep -q "$1"; }
    heard() { for _ in $(seq 1200); do allowed "$1" && return; sleep 0.1; done; echo "no $1"; }
    decide() { /test/decide $1; }
    at_rest() { systemctl show -p ActiveState allowsync.service | grep -q inactive; }
    etcdctl role add reader
    for keys in lists parts; do
        etcdctl role grant-permission --prefix=true reader read "/allowsync/home/$keys/"
    done
    etcdctl user add reader:of-readers && etcdctl user grant-role reader reader
    etcdctl user add root:of-root && etcdctl user grant-role root root
    etcdctl auth enable

    decide first
    allowsync schedule install --output json > installed
    heard 203.0.113.0
    allowsync schedule show --output json > shown
    allowsync schedule show
    systemctl show -p User -p CapabilityBoundingSet allowsync-follow.service > follower
    grep -E "^(Uid|CapEff|NoNewPrivs):" \
        /proc/$(systemctl show --value -p MainPID allowsync-follow.service)/status >> follower
    ls -l /run/allowsync-follow >> follower

    # A decision is heard, and so is one that comes while a run is at work.
    decide second
    heard 203.0.113.16
    until at_rest; do sleep 0.1; done  # or what comes next would be a part of this run
    mkdir -p /run/systemd/system/allowsync.service.d
    printf '[Service]\\nExecStartPost=+/test/meanwhile\\n' \
        > /run/systemd/system/allowsync.service.d/meanwhile.conf
    systemctl daemon-reload
    decide third
    heard 203.0.113.48
    systemctl is-failed allowsync.service allowsync.timer allowsync-follow.path

    systemctl stop allowsync-follow.path
    allowsync schedule show > stopped
    allowsync schedule install
    systemctl is-active allowsync-follow.service allowsync-follow.path > started
    allowsync schedule install >> started
    systemctl start allowsync.service
    allowsync schedule remove --yes
    systemctl is-active allowsync-follow.service allowsync-follow.path > removed
    ls /etc/systemd/system /etc/systemd/system/*.wants | grep 'allowsync.*[^d]$' >> removed
    journalctl -b -o cat -u "allowsync*" | tail -30
    """

DECIDE = """\
    #!/bin/sh
    cp -p /test/$1.yaml /test/resolver.yaml
    exec allowsync apply --quiet --config /test/resolver.yaml
    """

# Once, while a run is at work: the next decision, and long enough for it to be heard.
MEANWHILE = """\
    #!/bin/sh
    test -e /test/resolver/once && exit
    touch /test/resolver/once
    /test/decide fourth
    for _ in $(seq 600); do test -e /run/allowsync-follow/changed && break; sleep 0.1; done
    """
DECISIONS = {
    "first": "203.0.113.0/28",
    "second": "203.0.113.16/28",
    "third": "203.0.113.32/28",
    "fourth": "203.0.113.48/28",
}


@pytest.fixture
def told(as_root: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the machine wrote, by file, and what it printed."""
    return once(tmp_path_factory, "follower", lambda: _told(tmp_path_factory.mktemp("machine")))


def _told(folder: Path) -> dict[str, str]:
    machine, key = Machine(folder), new_signing_key()
    fleet = {"public": public_key_of(key)}
    applier = APPLIER + FLEET.format(user=READER, **fleet)
    machine.write("/etc/allowsync/config.yaml", applier, 0o600)
    machine.write("/etc/credstore/etcd", "of-readers\n", 0o600)
    machine.write("/test/root.password", "of-root\n", 0o600)
    machine.write("/test/signing.key", f"{key}\n", 0o600)
    for name, networks in DECISIONS.items():
        signs = FLEET.format(user=WRITER, **fleet) + "  signing_key_file: /test/signing.key\n"
        machine.write(f"/test/{name}.yaml", RESOLVER.format(networks=networks) + signs, 0o600)
    machine.write("/test/resolver/README", "The state of the machine that decides.\n")
    machine.write("/test/decide", DECIDE, 0o755)
    machine.write("/test/meanwhile", MEANWHILE, 0o755)
    machine.write("/etc/systemd/system/allowsync.timer.d/rarely.conf", RARELY)
    for one in (unpacked("etcd", "etcd-server", "etcd-client") / "usr/bin").iterdir():
        shutil.copy(one, folder / "top/test" / one.name)
    machine.install()
    machine.chroot("mv /test/etcd /test/etcdctl /usr/local/bin/")
    said = machine.boot(SCRIPT, seconds=240)
    names = ("installed", "shown", "follower", "stopped", "started", "removed")
    return {"said": said, **{name: machine.read(f"/test/{name}") for name in names}}


def test_it_is_installed_started_and_shown(told: dict[str, str]) -> None:
    said, shown = told["said"], json.loads(told["shown"])
    assert "no 203.0.113" not in said, said
    note = "decisions of the fleet start one within seconds, by allowsync-follow.service"
    assert note in json.loads(told["installed"])["notes"]
    assert shown["follower"] == {"enabled": True, "active": True}
    for unit in ("allowsync-follow.service", "allowsync-follow.path"):
        assert f"{unit}: enabled, active\n" in said


def test_it_has_no_rights_and_its_secret_alone(told: dict[str, str]) -> None:
    lines = told["follower"].splitlines()
    assert {"User=allowsync", "CapabilityBoundingSet=", "NoNewPrivs:\t1"} <= set(lines)
    assert "CapEff:\t0000000000000000" in lines
    (uid,) = (one.split()[1:] for one in lines if one.startswith("Uid:"))
    assert set(uid) != {"0"}


def test_a_decision_is_applied_when_it_comes_and_one_during_a_run_after_it(
    told: dict[str, str],
) -> None:
    assert "no 203.0.113" not in told["said"], told["said"]
    assert told["said"].count("\nfailed\n") == 0


def test_one_that_was_stopped_is_started_by_another_installation(told: dict[str, str]) -> None:
    assert "allowsync-follow.path: enabled, inactive" in told["stopped"]
    assert told["started"] == "active\nactive\nnothing to do: all is in place\n"


def test_nothing_of_it_stays_when_the_schedule_is_removed(told: dict[str, str]) -> None:
    assert told["removed"] == "inactive\ninactive\n"
