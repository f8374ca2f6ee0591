"""Apache and Caddy as units of systemd, kept by the service as it is installed: all steps go."""

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
      films:
        targets:
          - apache: {path: /etc/apache2/friends/films.conf}
          - caddy: {path: /etc/caddy/friends/films.caddy, refusal: forbidden}
    resolver: {nameservers: ["127.0.0.1:5353"], timeout: 15s, attempts: 1}
    policy: {canary: false, keep_replaced: 1s, replaced_runs: 1}
    """
APACHE = """\
    <VirtualHost *:80>
      DocumentRoot /srv/films
      <Directory /srv/films>
        Require all granted
      </Directory>
      <Location "/">
        Include /etc/apache2/friends/films.conf
      </Location>
    </VirtualHost>
    """
CADDY = """\
    import /etc/caddy/friends/films.caddy
    http://:81 {
    \timport allowsync_films
    \troot * /srv/films
    \tfile_server
    }
    """

# Answers with the address in a file, for as long as it runs.
NAME_SERVER = """\
    import time
    from pathlib import Path
    from testkit.fake_dns.nameserver import NameServer
    with NameServer({}, port=5353) as server:
        while True:
            server.zones["alice.example.org"] = Path("/test/home").read_text().split()
            time.sleep(0.05)
    """

ASK = """\
    import http.client, sys
    for port in 80, 81:
        for source in sys.argv[1:]:
            asked = http.client.HTTPConnection(
                "127.0.0.1", port, source_address=(source, 0), timeout=60
            )
            asked.request("GET", "/")
            print(asked.getresponse().status, end=" ")
    print()
    """


@pytest.fixture
def machine(tmp_path: Path, as_root: None) -> Machine:
    made = Machine(tmp_path)
    made.write("/etc/allowsync/config.yaml", CONFIGURATION, 0o600)
    made.write("/etc/apache2/sites-enabled/000-default.conf", APACHE)
    made.write("/etc/caddy/Caddyfile", CADDY)
    for folder in ("apache2", "caddy"):
        made.write(f"/etc/{folder}/friends/README", "Written by allowsync.\n")
    made.write("/srv/films/index.html", "the film\n")
    made.write("/test/names.py", NAME_SERVER)
    made.write("/test/ask.py", ASK)
    made.install()
    return made


def test_a_friends_move_goes_through_check_reload_and_confirmation(machine: Machine) -> None:
    said = machine.boot(
        f"""
        ask() {{ /opt/allowsync/bin/python /test/ask.py {FRIEND} {MOVED} {STRANGER}; }}
        run() {{ systemctl start allowsync.service; systemctl show -p ExecMainStatus allowsync; }}
        for one in {FRIEND} {MOVED} {STRANGER}; do ip address add $one/32 dev lo; done
        echo {FRIEND} > /test/home
        /opt/allowsync/bin/python /test/names.py &
        until ss -lun | grep -q 5353; do sleep 0.1; done

        allowsync schedule install > /dev/null
        systemctl stop allowsync.timer
        echo "before: $(run)"
        systemctl start apache2.service caddy.service
        echo "up: $(ask)"
        echo {MOVED} > /test/home
        sleep 0.2
        echo "moved: $(run)"
        echo "there: $(ask)"

        echo "NoSuchDirective" > /etc/apache2/sites-enabled/mistake.conf
        cp /etc/caddy/Caddyfile /test/Caddyfile
        echo "http://:99 {{ respond no_such_directive" >> /etc/caddy/Caddyfile
        sleep 1.2
        echo "mistaken: $(run)"
        rm /etc/apache2/sites-enabled/mistake.conf
        cp /test/Caddyfile /etc/caddy/Caddyfile
        echo "still: $(ask)"

        echo "again: $(run)"
        echo "now: $(ask)"
        allowsync check --output json > /test/check
        stat -c '%U %n' /var/log/caddy/* 2> /dev/null
        journalctl -u allowsync.service -o cat
        """,
        seconds=240,
    )
    told = [line.strip() for line in said.splitlines()]
    assert "before: ExecMainStatus=0" in told, said
    assert "up: 200 403 403 200 403 403" in told, said
    assert "moved: ExecMainStatus=0" in told, said
    assert "there: 200 200 403 200 200 403" in told, said
    assert "mistaken: ExecMainStatus=1" in told, said
    assert "films/apache: apache2ctl failed with exit code 1" in said
    assert "Invalid command 'NoSuchDirective'" in said
    assert "films/caddy: caddy failed with exit code 1" in said
    assert "still: 200 200 403 200 200 403" in told, said
    assert "again: ExecMainStatus=0" in told, said
    assert "now: 403 200 403 403 200 403" in told, said
    problems = json.loads(machine.read("/test/check"))["problems"]
    assert [one["what"] for one in problems if "tcp_migrate_req" not in str(one)] == []
