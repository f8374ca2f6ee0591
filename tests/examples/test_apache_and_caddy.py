"""The examples for Apache and Caddy are carried out: the installed program, real servers."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import sys
import time
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from testkit.fake_dns.tls import Authority
from tests.support.apache import MODULES, PROGRAM, Apache
from tests.support.caddy import PORT, Caddy
from tests.support.documents import ROOT
from tests.support.internet import FRIEND, FRIEND6, SERVER, SERVER6, STRANGER, STRANGER6
from tests.support.program import allowsync_in
from tests.support.requests import NONE, OK, neighbourhood, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

EXAMPLES = ROOT / "examples"
ZONES: dict[str, object] = {
    "alice.duckdns.org": [FRIEND, FRIEND6],
    "bob.ddns.example.net": ["81.2.70.1"],
    "parents.example.org": ["2a02:8010:3:7f12::25"],
}
EVERYBODY = (FRIEND, FRIEND6, STRANGER, STRANGER6)
FORBIDDEN = 403
SITE = "jellyfin.example.org"


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        jellyfin = ("-m", "http.server", "--bind", "127.0.0.1", "--directory", "/sys/class", "8096")
        with one.start(sys.executable, *jellyfin) as serving:
            yield one
            serving.kill()


@pytest.fixture
def names(inside: Namespace) -> Iterator[NameServer]:
    with inside.run(lambda: NameServer(dict(ZONES))) as server:
        yield server


def apply(inside: Namespace, server: Apache | Caddy, names: NameServer, name: str) -> None:
    """Run an example's configuration; only where its files are, and whom it asks, is ours."""
    text = (EXAMPLES / f"{name}.yaml").read_text()
    text, number = re.subn(
        r"path: /\S+(?=})",
        f"path: {server.path}, pid_file: {server.pid_file}, config: {server.config}"
        + (f", program: {PROGRAM}" if name == "apache" else ""),
        text,
    )
    assert number == 1
    own = server.folder / f"{name}.yaml"
    own.touch(mode=0o600)
    own.write_text(f"{text}\nresolver: {{nameservers: ['{names}']}}\n")
    given = ("--config", str(own), "--state", str(server.folder / "state" / "state.db"))
    allowsync_in(inside, "apply", *given)
    shown = allowsync_in(inside, "status", "--output", "json", *given)
    assert [one["in_step"] for one in json.loads(shown)["targets"]] == [True]


def over_tls(inside: Namespace, source: str) -> int:
    """What somebody gets from the site, once what is behind it has come up."""
    server = SERVER6 if ":" in source else SERVER
    trusting = ssl._create_unverified_context()

    def get() -> int:
        asked = http.client.HTTPSConnection(
            server, 443, source_address=(source, 0), timeout=60, context=trusting
        )
        asked.request("GET", "/", headers={"Host": SITE})
        found = asked.getresponse().status
        asked.close()
        return found

    return inside.run(get)


def wait_for_jellyfin(inside: Namespace) -> None:
    deadline = time.monotonic() + 60
    while status(inside, "127.0.0.1", 8096, server="127.0.0.1") != OK:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_site_of_apache_is_for_friends(
    inside: Namespace, names: NameServer, tmp_path: Path
) -> None:
    apache = Apache(
        inside,
        tmp_path,
        modules=(*MODULES, "ssl", "socache_shmcb", "headers", "proxy", "proxy_http"),
        listen=("443",),
        around="    Require all denied\n    # {}",
    )
    Authority(tmp_path).serves(SITE)
    (certificate,) = tmp_path.glob("server-*.pem")
    text = (EXAMPLES / "apache.conf").read_text()
    text, certificates = re.subn(r"/etc/letsencrypt/\S+", str(certificate), text)
    text, includes = re.subn(r"Include /\S+", f"Include {apache.path}", text)
    assert (certificates, includes) == (2, 1)
    apache.more = text
    apache.write()
    apply(inside, apache, names, "apache")
    wait_for_jellyfin(inside)
    apache.start()
    try:
        assert [over_tls(inside, one) for one in EVERYBODY] == [OK, OK, FORBIDDEN, FORBIDDEN]
        names.zones["alice.duckdns.org"] = [STRANGER, FRIEND6]
        apply(inside, apache, names, "apache")
        assert over_tls(inside, STRANGER) == OK
    finally:
        apache.stop()


def test_one_site_of_caddy_is_for_friends(
    inside: Namespace, names: NameServer, tmp_path: Path
) -> None:
    caddy = Caddy(inside, tmp_path, site="abort")
    text = (EXAMPLES / "Caddyfile").read_text()
    text, includes = re.subn(r"(?m)^import /\S+", f"import {caddy.path}", text)
    # Without certificates; a test gets none.
    text, sites = re.subn(r"(?m)^(\S*example\.org) {", rf"http://\1:{PORT} {{", text)
    assert (includes, sites) == (1, 2)
    caddy.imports = text.replace("{", "{{").replace("}", "}}")
    caddy.write()
    apply(inside, caddy, names, "caddy")
    wait_for_jellyfin(inside)
    caddy.start()

    def answers(site: str) -> list[int]:
        return [status(inside, one, PORT, headers={"Host": site}) for one in EVERYBODY]

    try:
        assert answers(SITE) == [OK, OK, NONE, NONE]
        assert answers("example.org") == [OK] * 4
        names.zones["alice.duckdns.org"] = [STRANGER, FRIEND6]
        apply(inside, caddy, names, "caddy")
        assert status(inside, STRANGER, PORT, headers={"Host": SITE}) == OK
    finally:
        caddy.stop()
