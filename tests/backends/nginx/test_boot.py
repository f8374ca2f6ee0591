"""nginx as a unit of systemd, kept by the service as it is installed: nothing forbids any step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.boot import Machine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(480)]

FRIEND, MOVED, STRANGER = "81.2.69.1", "81.2.69.2", "81.2.69.3"
CONFIGURATION = """\
    hosts:
      alice: alice.example.org
    allowlists:
      jellyfin:
        targets: [{nginx: {path: /etc/nginx/friends/jellyfin.conf}}]
    resolver: {nameservers: ["127.0.0.1:5353"], timeout: 500ms, attempts: 1}
    policy: {canary: false}
    """
SITE = """\
    server {
      listen 80 default_server;
      include /etc/nginx/friends/jellyfin.conf;
      location / { root /srv/films; }
    }
    """

# Answers with the address in a file, for as long as it runs.
NAME_SERVER = """\
    import time
    from pathlib import Path
    from allowsync.testing.nameserver import NameServer
    with NameServer({}, port=5353) as server:
        while True:
            server.zones["alice.example.org"] = Path("/test/home").read_text().split()
            time.sleep(0.05)
    """

ASK = """\
    import http.client, sys
    for source in sys.argv[1:]:
        asked = http.client.HTTPConnection("127.0.0.1", source_address=(source, 0), timeout=20)
        asked.request("GET", "/")
        print(asked.getresponse().status, end=" ")
    print()
    """

# Short words for what the tests do, and the friend's name in the DNS.
TOOLS = f"""
    ask() {{ /opt/allowsync/bin/python /test/ask.py {FRIEND} {MOVED} {STRANGER}; }}
    run() {{ systemctl start allowsync.service; systemctl show -p ExecMainStatus allowsync; }}
    workers() {{ cat /proc/$(cat /run/nginx.pid)/task/*/children; }}
    for one in {FRIEND} {MOVED} {STRANGER}; do ip address add $one/32 dev lo; done
    echo {FRIEND} > /test/home
    /opt/allowsync/bin/python /test/names.py &
    until ss -lun | grep -q 5353; do sleep 0.1; done
    """


@pytest.fixture
def machine(tmp_path: Path, as_root: None) -> Machine:
    made = Machine(tmp_path)
    made.write("/etc/allowsync/config.yaml", CONFIGURATION, 0o600)
    made.write("/etc/nginx/sites-enabled/default", SITE)
    made.write("/etc/nginx/friends/README", "Written by allowsync.\n")
    made.write("/srv/films/index.html", "the film\n")
    made.write("/test/names.py", NAME_SERVER)
    made.write("/test/ask.py", ASK)
    made.install()
    return made


def test_by_its_pid_file_it_is_seen_and_told_from_within_the_walls(machine: Machine) -> None:
    config = CONFIGURATION.replace(
        "jellyfin.conf}", "jellyfin.conf, pid_file: /run/nginx.pid, CHECK}"
    )
    check = "check: [systemd-run, --quiet, --collect, --wait, --pipe, --, nginx, -t, -q]"
    machine.write("/etc/allowsync/config.yaml", config.replace(", CHECK", ""), 0o600)
    machine.write("/test/with-check.yaml", config.replace("CHECK", check), 0o600)
    said = machine.boot(
        f"""
        {TOOLS}
        allowsync schedule install > /dev/null
        systemctl stop allowsync.timer
        echo "walled: $(run)"
        cp /test/with-check.yaml /etc/allowsync/config.yaml
        echo "before: $(run)"
        systemctl start nginx.service
        echo "up: $(ask)"
        echo {MOVED} > /test/home
        sleep 0.2
        echo "moved: $(run)"
        echo "there: $(ask)"
        journalctl -u allowsync.service -o cat
        """
    )
    told = [line.strip() for line in said.splitlines()]
    # What a check opens besides, such as logs, it may not open there; run by systemd it may.
    assert "walled: ExecMainStatus=1" in told, said
    assert "Read-only file system" in said
    assert "before: ExecMainStatus=0" in told, said
    assert "up: 200 403 403" in told, said
    assert "moved: ExecMainStatus=0" in told, said
    assert "there: 200 200 403" in told, said


def test_a_friends_move_goes_through_check_reload_and_confirmation(machine: Machine) -> None:
    said = machine.boot(
        f"""
        {TOOLS}
        allowsync schedule install > /dev/null
        systemctl stop allowsync.timer
        echo "before: $(run)"
        systemctl start nginx.service
        echo "up: $(ask)"
        echo {MOVED} > /test/home
        sleep 0.2
        workers > /test/before; grep -q . /test/before || echo "no workers"
        echo "moved: $(run)"
        workers > /test/after
        cmp -s /test/before /test/after && echo "the same workers"
        echo "there: $(ask)"

        echo "listens 80;" > /etc/nginx/sites-enabled/mistake
        echo {STRANGER} > /test/home
        sleep 0.2
        echo "mistaken: $(run)"
        rm /etc/nginx/sites-enabled/mistake
        echo "still: $(ask)"

        kill -STOP $(cat /run/nginx.pid)
        echo "asleep: $(run)"
        kill -CONT $(cat /run/nginx.pid)
        echo "again: $(run)"
        echo "now: $(ask)"
        allowsync check --output json > /test/check
        journalctl -u allowsync.service -o cat
        """
    )
    told = [line.strip() for line in said.splitlines()]
    assert "before: ExecMainStatus=0" in told, said
    assert "up: 200 403 403" in told, said
    assert "moved: ExecMainStatus=0" in told, said
    assert not {"the same workers", "no workers"} & set(told), said
    assert "there: 200 200 403" in told, said
    assert "mistaken: ExecMainStatus=1" in told, said
    assert "jellyfin/nginx: nginx failed with exit code 1" in said
    assert 'unknown directive "listens"' in said
    assert "the old file is back in force" in said
    assert "still: 200 200 403" in told, said
    # It is known by its processes, which the service sees although they are another user's.
    assert "asleep: ExecMainStatus=1" in told, said
    assert "has started no new process within 10 s; the old file is back, but" in said
    assert "again: ExecMainStatus=0" in told, said
    assert "now: 200 200 200" in told, said
    assert json.loads(machine.read("/test/check"))["problems"] == []
