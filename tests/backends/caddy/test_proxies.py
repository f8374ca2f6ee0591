"""Which proxies a Caddy believes where our snippet is, by what it adapts its Caddyfile to."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.caddy.options import DeniedResponse, Matcher
from allowsync_backends.caddy.proxies import about_proxies, believed
from allowsync_backends.caddy.snippet import Snippet
from allowsync_backends.caddy.syntax import CaddySyntax

from allowsync.model.target import Severity
from tests.backends.caddy.test_values import adapted
from tests.support.caddy import NEWER

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.target import TrustedProxies

FRIENDS = frozenset({ip_network("81.2.69.1/32")})
SITE = "http://a.example:8080 {\n route {\n  import allowsync_x\n  respond hello\n }\n}"
OTHER = "http://b.example:8081 {\n respond hello\n}"
TRUSTED = "trusted_proxies static 192.0.2.0/24 10.0.0.1"


def seen(folder: Path, options: str, matcher: Matcher, sites: str) -> TrustedProxies | None:
    head = f"{{\n auto_https off\n servers {{\n  {options}\n }}\n}}\n"
    syntax = CaddySyntax(matcher=matcher)
    document = adapted(folder, sites, syntax, FRIENDS, head=head, program=NEWER)
    return believed(document, Snippet(matcher, DeniedResponse.ABORT, FRIENDS))


@pytest.mark.parametrize(
    ("options", "matcher", "networks", "headers"),
    [
        ("", Matcher.CLIENT_IP, (), ()),
        (TRUSTED, Matcher.CLIENT_IP, ("192.0.2.0/24", "10.0.0.1"), ("X-Forwarded-For",)),
        (
            f"{TRUSTED}\n  client_ip_headers X-Real-IP Cf-Connecting-Ip",
            Matcher.CLIENT_IP,
            ("192.0.2.0/24", "10.0.0.1"),
            ("X-Real-Ip", "Cf-Connecting-Ip"),
        ),
        (TRUSTED, Matcher.REMOTE_IP, (), ()),
    ],
)
def test_what_is_believed_is_what_the_server_of_the_snippet_says(
    tmp_path: Path,
    options: str,
    matcher: Matcher,
    networks: tuple[str, ...],
    headers: tuple[str, ...],
) -> None:
    found = seen(tmp_path, options, matcher, f"{SITE}\n{OTHER}")
    assert found is not None
    assert found.networks == tuple(map(ip_network, networks))
    assert tuple(map(str.lower, found.headers)) == tuple(map(str.lower, headers))
    assert found.ports == (8080,)
    assert ("matcher" in found.advice) == (matcher is Matcher.REMOTE_IP)


@pytest.mark.parametrize(
    ("options", "sites"),
    [
        ("listener_wrappers {\n   proxy_protocol\n  }", SITE),
        ("", OTHER),
        ("", SITE.replace("8080 {", "8080 {\n bind 127.0.0.1")),
    ],
)
def test_what_cannot_be_told_is_not_known(tmp_path: Path, options: str, sites: str) -> None:
    assert seen(tmp_path, options, Matcher.CLIENT_IP, sites) is None


def test_of_networks_that_a_plugin_knows_nothing_is_known() -> None:
    refused = {"handle": [{"handler": "static_response", "abort": True}]}
    server = {
        "listen": [":443"],
        "routes": [refused],
        "trusted_proxies": {"source": "cloudflare"},
    }
    config = {"apps": {"http": {"servers": {"srv0": server}}}}
    assert believed(config, Snippet(Matcher.CLIENT_IP, DeniedResponse.ABORT, frozenset())) is None


def test_a_source_that_a_plugin_knows_is_said_to_be_unknown() -> None:
    server = {"listen": [":443"], "trusted_proxies": {"source": "cloudflare"}}
    document = {"apps": {"http": {"servers": {"a": {**server, "trusted_proxies_strict": 1}}}}}
    (one,) = about_proxies(document)
    assert one.severity is Severity.INFO
    assert one.what == (
        "the server at :443 has trusted_proxies cloudflare, which a plugin knows: whom it believes "
        "is unknown"
    )
