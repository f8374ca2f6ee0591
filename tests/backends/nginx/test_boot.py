"""nginx as a unit of systemd, kept by the service as it is installed: nothing forbids any step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.boot import Machine
from tests.support.once import once

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
    resolver: {nameservers: ["127.0.0.1:5353"], timeout: 15s, attempts: 1}
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
    from testkit.fake_dns.nameserver import NameServer
    with NameServer({}, port=5353) as server:
        while True:
            home = Path("/test/home").read_text()
            server.zones["alice.example.org"] = home.split()
            Path("/test/known").write_text(home)
            time.sleep(0.05)
    """

ASK = """\
    import http.client, sys
    for source in sys.argv[1:]:
        asked = http.client.HTTPConnection("127.0.0.1", source_address=(source, 0), timeout=60)
        asked.request("GET", "/")
        print(asked.getresponse().status, end=" ")
    print()
    """

# Where it is told by a pid file, a check opens besides what it may not open within the walls.
BY_PID_FILE = CONFIGURATION.replace("jellyfin.conf}", "jellyfin.conf, pid_file: /run/nginx.pid}")
CHECK = "check: [systemd-run, --quiet, --collect, --wait, --pipe, --, nginx, -t, -q]"
CHECKED = BY_PID_FILE.replace("nginx.pid}", f"nginx.pid, {CHECK}}}")

STORY = f"""
    ask() {{ /opt/allowsync/bin/python /test/ask.py {FRIEND} {MOVED} {STRANGER}; }}
    run() {{
        systemctl reset-failed allowsync.service  # or it would be too many starts in a row
        systemctl start allowsync.service
        systemctl show -p ExecMainStatus allowsync.service
    }}
    workers() {{ cat /proc/$(cat /run/nginx.pid)/task/*/children; }}
    move() {{ echo $1 > /test/home; until cmp -s /test/home /test/known; do sleep 0.1; done; }}
    for one in {FRIEND} {MOVED} {STRANGER}; do ip address add $one/32 dev lo; done
    echo {FRIEND} > /test/home
    /opt/allowsync/bin/python /test/names.py &
    until ss -lun | grep -q 5353; do sleep 0.1; done
    move {FRIEND}
    allowsync schedule install > /dev/null
    systemctl stop allowsync.timer

    echo "before: $(run)"
    systemctl start nginx.service
    echo "up: $(ask)"
    move {MOVED}
    workers > /test/before; grep -q . /test/before || echo "no workers"
    echo "moved: $(run)"
    workers > /test/after
    cmp -s /test/before /test/after && echo "the same workers"
    echo "there: $(ask)"
    echo "idle: $(run)"
    echo "idle too: $(run)"
    allowsync check --output json > /test/check

    echo "listens 80;" > /etc/nginx/sites-enabled/mistake
    move {STRANGER}
    echo "mistaken: $(run)"
    rm /etc/nginx/sites-enabled/mistake
    echo "still: $(ask)"

    kill -STOP $(cat /run/nginx.pid)
    echo "asleep: $(run)"
    kill -CONT $(cat /run/nginx.pid)

    cp /test/by-pid-file.yaml /etc/allowsync/config.yaml
    allowsync schedule install > /dev/null
    systemctl stop allowsync.timer
    echo "walled: $(run)"
    cp /test/checked.yaml /etc/allowsync/config.yaml
    echo "checked: $(run)"
    echo "now: $(ask)"
    journalctl -u allowsync.service -o cat
    """


@pytest.fixture
def outcome(as_root: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one that has booted wrote into its files, after all of it has happened."""
    return once(tmp_path_factory, "nginx", lambda: found_out(tmp_path_factory.mktemp("machine")))


def found_out(folder: Path) -> dict[str, str]:
    """Boot one, and let all of it happen."""
    made = Machine(folder)
    made.write("/etc/allowsync/config.yaml", CONFIGURATION, 0o600)
    made.write("/etc/nginx/sites-enabled/default", SITE)
    made.write("/etc/nginx/friends/README", "Written by allowsync.\n")
    made.write("/srv/films/index.html", "the film\n")
    made.write("/test/names.py", NAME_SERVER)
    made.write("/test/ask.py", ASK)
    made.write("/test/by-pid-file.yaml", BY_PID_FILE, 0o600)
    made.write("/test/checked.yaml", CHECKED, 0o600)
    made.install()
    made.boot(STORY, seconds=240)
    return {name: made.read(f"/test/{name}") for name in ("out", "check")}


@pytest.fixture
def told(outcome: dict[str, str]) -> list[str]:
    """What was said by the end of it."""
    return [line.strip() for line in outcome["out"].splitlines()]


def said(told: list[str], *lines: str) -> bool:
    """Whether these lines are among what was said; otherwise, everything is shown."""
    assert set(lines) <= set(told), "\n".join(told)
    return True


def failures(told: list[str]) -> list[str]:
    """What was said of checks that failed, in order."""
    return [line for line in told if line.startswith("jellyfin/nginx: nginx failed")]


def test_a_friends_move_goes_through_check_reload_and_confirmation(told: list[str]) -> None:
    assert said(told, "before: ExecMainStatus=0", "up: 200 403 403")
    assert said(told, "moved: ExecMainStatus=0", "there: 200 200 403")
    assert not {"the same workers", "no workers"} & set(told)


def test_an_idle_run_has_nothing_to_say(told: list[str]) -> None:
    """With the Python of Debian, which is not that of the tests."""
    assert said(told, "idle: ExecMainStatus=0", "idle too: ExecMainStatus=0")


def test_there_is_nothing_to_find(told: list[str], outcome: dict[str, str]) -> None:
    assert json.loads(outcome["check"])["problems"] == []


def test_what_nginx_does_not_take_is_rolled_back_with_its_words(told: list[str]) -> None:
    assert said(told, "mistaken: ExecMainStatus=1", "still: 200 200 403")
    why, _ = failures(told)
    assert 'unknown directive "listens"' in why
    assert why.endswith("the old file is back in force")


def test_it_is_known_by_its_processes_although_they_are_another_users(told: list[str]) -> None:
    assert said(told, "asleep: ExecMainStatus=1")
    (why,) = (line for line in told if "could not confirm the update" in line)
    assert "has started no new process within 10 s; the old file is back, but" in why


def test_by_its_pid_file_it_is_seen_and_told_from_within_the_walls(told: list[str]) -> None:
    assert said(told, "walled: ExecMainStatus=1", "checked: ExecMainStatus=0", "now: 200 200 200")
    _, why = failures(told)
    assert "Permission denied" in why
