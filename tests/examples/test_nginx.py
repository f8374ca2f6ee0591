"""The examples for nginx are carried out: the installed program, a real nginx, real requests."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from testkit.fake_dns.tls import Authority
from tests.support.documents import ROOT
from tests.support.internet import FRIEND, FRIEND6, SERVER, SERVER6, STRANGER, STRANGER6
from tests.support.nginx import Nginx, serving
from tests.support.program import allowsync_in
from tests.support.requests import OK, neighbourhood

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

EXAMPLES = ROOT / "examples"
ZONES: dict[str, object] = {
    "alice.duckdns.org": [FRIEND, FRIEND6],
    "bob.ddns.example.net": ["81.2.70.1"],
    "parents.example.org": ["2a02:8010:3:7f12::25"],
}
FORBIDDEN, UNAUTHORIZED, MOVED = 403, 401, 301
EVERYBODY = (FRIEND, FRIEND6, STRANGER, STRANGER6)

# Jellyfin, which says whom it takes for whom; and something like Authelia.
BEHIND = """
  server { listen 127.0.0.1:8096; location / { return 200 "for $http_remote_user."; } }
  server {
    listen 127.0.0.1:9091;
    location = /api/authz/auth-request {
      if ($cookie_session != good) { return 401; }
      add_header Remote-User carol;
      return 200;
    }
  }
"""


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        yield one


def started(inside: Namespace, folder: Path, name: str, server: NameServer) -> Nginx:
    """An nginx of an example, and the first run of its configuration."""
    nginx = Nginx(folder, inside)
    Authority(folder).serves("jellyfin.example.org")
    (certificate,) = folder.glob("server-*.pem")
    text = (EXAMPLES / f"{name}.conf").read_text()
    text, certificates = re.subn(r"/etc/letsencrypt/\S+(?=;)", str(certificate), text)
    text, includes = re.subn("/etc/nginx/allowsync", str(nginx.path.parent), text)
    assert (certificates, includes) == (2, 1)
    nginx.configure(BEHIND + text)
    apply(nginx, folder, name, server)
    return nginx


def apply(nginx: Nginx, folder: Path, name: str, server: NameServer) -> None:
    """Run an example's configuration; only where its files are, and whom it asks, is ours."""
    text = (EXAMPLES / f"{name}.yaml").read_text()
    option = "path: /etc/nginx/allowsync/jellyfin.conf"
    assert option in text
    path = nginx.path.with_name("jellyfin.conf")
    how = f"path: {path}, pid_file: {nginx.pid_file}, config: {nginx.config}"
    own = folder / f"{name}.yaml"
    own.touch(mode=0o600)
    own.write_text(text.replace(option, how) + f"\nresolver: {{nameservers: ['{server}']}}\n")
    given = ("--config", str(own), "--state", str(folder / "state" / "state.db"))
    allowsync_in(nginx.inside, "apply", *given)
    status = json.loads(allowsync_in(nginx.inside, "status", "--output", "json", *given))
    assert [one["in_step"] for one in status["targets"]] == [True]


def ask(
    inside: Namespace, source: str, *, plain: bool = False, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """What somebody gets, over TLS unless said otherwise."""
    server = SERVER6 if ":" in source else SERVER
    trusting = ssl._create_unverified_context()

    def get() -> tuple[int, str]:
        asked = (
            http.client.HTTPConnection(server, 80, source_address=(source, 0), timeout=60)
            if plain
            else http.client.HTTPSConnection(
                server, 443, source_address=(source, 0), timeout=60, context=trusting
            )
        )
        asked.request("GET", "/", headers=dict(headers or {}))
        answer = asked.getresponse()
        text = answer.read().decode()
        asked.close()
        return answer.status, text

    return inside.run(get)


def test_one_site_is_for_friends_and_port_80_for_everybody(
    inside: Namespace, tmp_path: Path
) -> None:
    with inside.run(lambda: NameServer(dict(ZONES))) as server:
        nginx = started(inside, tmp_path, "nginx", server)
        with serving(nginx):
            assert [ask(inside, one)[0] for one in EVERYBODY] == [OK, OK, FORBIDDEN, FORBIDDEN]
            assert {ask(inside, one, plain=True)[0] for one in EVERYBODY} == {MOVED}
            server.zones["alice.duckdns.org"] = [STRANGER, FRIEND6]
            apply(nginx, tmp_path, "nginx", server)
            assert ask(inside, STRANGER)[0] == OK


def test_friends_need_not_sign_in_and_strangers_must(inside: Namespace, tmp_path: Path) -> None:
    signed_in = {"Cookie": "session=good"}
    forged = {"Remote-User": "alice", "Cookie": "session=bad"}
    with inside.run(lambda: NameServer(dict(ZONES))) as server:
        nginx = started(inside, tmp_path, "nginx-sign-in", server)
        with serving(nginx):
            for friend, stranger in ((FRIEND, STRANGER), (FRIEND6, STRANGER6)):
                assert ask(inside, friend) == (OK, "for .")
                assert ask(inside, friend, headers=forged) == (OK, "for .")
                assert ask(inside, stranger)[0] == UNAUTHORIZED
                assert ask(inside, stranger, headers=forged)[0] == UNAUTHORIZED
                assert ask(inside, stranger, headers=signed_in) == (OK, "for carol.")
