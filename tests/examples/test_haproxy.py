"""The example for HAProxy is carried out: the installed program, a real HAProxy, real requests."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from testkit.fake_dns.tls import Authority
from tests.support.documents import ROOT
from tests.support.haproxy import Haproxy
from tests.support.internet import FRIEND, FRIEND6, SERVER, SERVER6, STRANGER, STRANGER6
from tests.support.program import EXECUTABLE
from tests.support.requests import neighbourhood

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

EXAMPLES = ROOT / "examples"
HOST = "jellyfin.example.org"
ZONES: dict[str, object] = {
    "alice.duckdns.org": [FRIEND, FRIEND6],
    "bob.ddns.example.net": ["81.2.70.1"],
    "parents.example.org": ["2a02:8010:3:7f12::25"],
}
MOVED, FORBIDDEN, NOBODY_BEHIND = 302, 403, 503


class Example(Haproxy):
    """An HAProxy with the configuration of the example."""

    __slots__ = ()

    def write(self) -> None:
        self.path.parent.mkdir(exist_ok=True)
        text = (EXAMPLES / "haproxy.cfg").read_text()
        places = {
            "/run/haproxy/admin.sock": str(self.socket),
            "/etc/haproxy/certs": str(self.folder / "certs"),
            "/etc/haproxy/friends.lst": str(self.path),
            "    user haproxy\n    group haproxy\n": "",
            # Nobody is behind it here, and need not be waited for.
            "    mode http\n": "    mode http\n    retries 0\n",
            "bind :80\n": "bind :::80 v4v6\n",
            "bind :443": "bind :::443 v4v6",
        }
        for said, ours in places.items():
            assert text.count(said) == 1, said
            text = text.replace(said, ours)
        self.config.write_text(text)


def run(server: Haproxy, names: NameServer) -> subprocess.CompletedProcess[str]:
    """Run the example's configuration; only where its files are, and whom it asks, is ours."""
    text = (EXAMPLES / "haproxy.yaml").read_text()
    places = {
        "/etc/haproxy/friends.lst": str(server.path),
        "socket: /run/haproxy/admin.sock": f"socket: {server.socket}\n"
        f"          pid_file: {server.pid_file}\n          config: {server.config}",
    }
    for said, ours in places.items():
        assert text.count(said) == 1, said
        text = text.replace(said, ours)
    own = server.folder / "config.yaml"
    own.touch(mode=0o600)
    own.write_text(text + f"\nresolver: {{nameservers: ['{names}']}}\n")
    given = ("--config", str(own), "--state", str(server.folder / "state" / "state.db"))

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return server.inside.run(
            lambda: subprocess.run(
                (str(EXECUTABLE), *words, *given), capture_output=True, text=True, check=False
            )
        )

    done = call("apply")
    if done.returncode == 0:
        status = json.loads(call("status", "--output", "json").stdout)
        assert [one["in_step"] for one in status["targets"]] == [True]
    return done


def ask(
    server: Haproxy, source: str, host: str = HOST, path: str = "/", *, tls: bool = True
) -> int:
    """The status of an answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def call() -> int:
        to, port = (SERVER6 if ":" in source else SERVER), (443 if tls else 80)
        ours = (source, 0)
        connection = (
            http.client.HTTPSConnection(to, port, timeout=60, source_address=ours, context=context)
            if tls
            else http.client.HTTPConnection(to, port, timeout=60, source_address=ours)
        )
        connection.request("GET", path, headers={"Host": host})
        status = connection.getresponse().status
        connection.close()
        return status

    return server.inside.run(call)


def test_the_example_lets_friends_in_and_follows_them_without_a_reload(tmp_path: Path) -> None:
    with neighbourhood() as inside, inside.run(lambda: NameServer(ZONES)) as names:
        server = Example(inside, tmp_path)
        Authority(tmp_path).serves(HOST)
        (certificate,) = tmp_path.glob("server-*.pem")
        (tmp_path / "certs").mkdir()
        certificate.rename(tmp_path / "certs" / "site.pem")
        server.write()
        first = run(server, names)
        assert (first.returncode, first.stderr) == (0, ""), "it does not run yet"
        server.start()
        try:
            worker = server.worker
            # Nobody is behind HAProxy here: 503 is the answer of one who was let through.
            assert [ask(server, one) for one in (FRIEND, FRIEND6)] == [NOBODY_BEHIND] * 2
            assert [ask(server, one) for one in (STRANGER, STRANGER6)] == [FORBIDDEN] * 2
            assert ask(server, STRANGER, "www.example.org") == NOBODY_BEHIND
            assert ask(server, STRANGER, path="/.well-known/acme-challenge/x", tls=False) == 503
            assert ask(server, FRIEND, tls=False) == MOVED
            names.zones["bob.ddns.example.net"] = [STRANGER]
            assert run(server, names).returncode == 0
            assert ask(server, STRANGER) == NOBODY_BEHIND
            assert server.worker == worker
        finally:
            server.stop()


def test_a_running_haproxy_that_does_not_use_the_list_is_told_of(tmp_path: Path) -> None:
    """As the example says: the first run writes the list, and fails."""
    with neighbourhood() as inside, inside.run(lambda: NameServer(ZONES)) as names:
        server = Haproxy(inside, tmp_path, rule="http-request deny")
        server.write()
        server.start()
        try:
            first = run(server, names)
            assert first.returncode == 1
            assert "is written for when haproxy uses it" in first.stderr + first.stdout
            server.rule = "http-request deny unless {{ src -f {path} }}"
            server.write()
            server.reload()
            assert run(server, names).returncode == 0
        finally:
            server.stop()
