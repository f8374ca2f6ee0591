"""DNS over HTTPS between this program and others: nginx, httpx, OpenSSL; and without HTTP/2."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import httpx
import pytest

from allowsync.dns.client import Resolver
from allowsync.dns.wire_query import message, question
from allowsync.model.answer import Found, Unavailable
from allowsync.model.nameserver import Nameserver, Transport
from allowsync.model.types import Family, Query
from testkit.fake_dns.https import HTTP1, HTTP2, MEDIA_TYPE, PATH, DohHandler, HttpsFront
from testkit.fake_dns.nameserver import NameServer
from tests.allowsync.dns.asking import ALICE, BOTH, IPV4, ask, settings
from tests.support.nginx_front import nginx
from tests.support.ports import unused_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testkit.fake_dns.tls import Authority

HERE = Found((ip_address(IPV4),), 60)
HOME = "127.0.0.1"
QUERIES = [Query(f"host{i}.example.org", Family.IPV4) for i in range(150)]
INSTALL = "HTTP/2 needs the package h2; docs/install.md says how to add it"


def over(port: int) -> Nameserver:
    return Nameserver("", port, Transport.HTTPS, url=f"https://{HOME}:{port}{PATH}")


@contextmanager
def behind_nginx(authority: Authority, folder: Path, more: str = "") -> Iterator[Nameserver]:
    """A name server that nginx lets be asked over HTTP/2."""
    folder.joinpath("nginx").mkdir()
    with (
        NameServer({"*": BOTH}) as server,
        HttpsFront(server, authority.serves(HOME), protocols=HTTP1) as inner,
    ):
        authority.serves(HOME)
        certificate = max(folder.glob("server-*.pem"))
        with nginx(folder / "nginx", certificate, f"https://{HOME}:{inner.port}", more) as port:
            yield over(port)


NGINX = {
    "as it comes": "",
    "few at a time": "http2_max_concurrent_streams 3;",
    "a farewell now and then": "keepalive_requests 20;",
    "in small pieces": "http2_chunk_size 20;",
}


@pytest.mark.parametrize("more", NGINX.values(), ids=NGINX)
def test_nginx_is_understood(authority: Authority, tmp_path: Path, more: str) -> None:
    with behind_nginx(authority, tmp_path, more) as nameserver:
        answers = Resolver(settings(nameserver, timeout=10.0, attempts=1)).resolve(QUERIES)
        assert set(answers.values()) == {HERE}


def test_the_front_is_understood_by_httpx(authority: Authority) -> None:
    wire = message(b"id", question(Query(ALICE, Family.IPV4)).section, validate=False)
    trusted = ssl.create_default_context(cafile=str(authority.certificate))
    with (
        NameServer({ALICE: BOTH}) as server,
        HttpsFront(server, authority.serves(HOME)) as shown,
        httpx.Client(http2=True, verify=trusted, trust_env=False) as client,
    ):
        headers = {"content-type": MEDIA_TYPE}
        said = [client.post(shown.url, content=wire, headers=headers) for _ in range(3)]
        assert shown.connections == ["h2"]
        assert shown.complaints == []
    assert {(one.http_version, one.status_code) for one in said} == {("HTTP/2", 200)}
    assert {one.content[:2] for one in said} == {b"id"}
    assert all(ip_address(IPV4).packed in one.content for one in said)


@pytest.fixture
def without_http2(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `h2` were not installed."""
    monkeypatch.setitem(sys.modules, "h2", None)


@pytest.mark.usefixtures("without_http2")
def test_without_h2_a_server_of_both_is_asked_over_http_1_1(authority: Authority) -> None:
    with (
        NameServer({ALICE: BOTH}) as server,
        HttpsFront(server, authority.serves(HOME)) as shown,
    ):
        assert ask(settings(shown.nameserver)) == HERE
        assert shown.connections == ["http/1.1"]


@pytest.mark.parametrize("status", [400, 426, 505])
@pytest.mark.usefixtures("without_http2")
def test_without_h2_a_server_that_turns_http_1_1_away_says_what_to_install(
    authority: Authority, status: int
) -> None:
    def away(handler: DohHandler, _wire: bytes) -> None:
        handler.reply(b"this server wants HTTP/2", "text/html", status)

    with (
        NameServer({ALICE: BOTH}) as server,
        HttpsFront(server, authority.serves(HOME), reaction=away, protocols=HTTP1) as shown,
    ):
        said = ask(settings(shown.nameserver, attempts=1))
    assert said == Unavailable(
        f"{shown} answered with HTTP status {status}; if it speaks HTTP/2 alone: {INSTALL}"
    )


def test_with_h2_nobody_is_told_to_install_it(authority: Authority) -> None:
    def away(handler: DohHandler, _wire: bytes) -> None:
        handler.reply(b"", status=400)

    with (
        NameServer({ALICE: BOTH}) as server,
        HttpsFront(server, authority.serves(HOME), reaction=away, protocols=HTTP1) as shown,
    ):
        said = ask(settings(shown.nameserver, attempts=1))
    assert said == Unavailable(f"{shown} answered with HTTP status 400")


@contextmanager
def openssl(certificate: Path, protocol: str) -> Iterator[Nameserver]:
    """OpenSSL's own server, which breaks off where it can agree on no protocol."""
    program = shutil.which("openssl")
    assert program
    port = unused_port()
    child = subprocess.Popen(
        [program, "s_server", "-accept", f"{HOME}:{port}", "-cert", str(certificate), "-key",
         str(certificate), "-alpn", protocol, "-quiet"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex((HOME, port)) == 0:
                    break
            time.sleep(0.02)
        yield over(port)
    finally:
        child.kill()
        child.wait()
        if child.stdin is not None:
            child.stdin.close()


def test_a_server_that_agrees_on_no_version_is_named(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.serves(HOME)
    (certificate,) = tmp_path.glob("server-*.pem")
    with openssl(certificate, "h3") as nameserver:
        said = ask(settings(nameserver, attempts=1))
        assert said == Unavailable(f"{nameserver} refused to speak h2 or http/1.1")
    with openssl(certificate, HTTP2[0]) as nameserver:
        monkeypatch.setitem(sys.modules, "h2", None)
        said = ask(settings(nameserver, attempts=1))
        assert said == Unavailable(f"{nameserver} refused to speak http/1.1; {INSTALL}")
