"""What the pages of Apache and Caddy show is what is written, and what those servers take."""

from __future__ import annotations

import subprocess
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.apache.syntax import ApacheSyntax, RemoteIpSyntax, RequireNoneSyntax
from allowsync_backends.caddy.syntax import CaddySyntax, ProxiesSyntax

from tests.support import apache, caddy
from tests.support.documents import ROOT, blocks_of

if TYPE_CHECKING:
    from pathlib import Path

FRIENDS = tuple(map(ip_network, ("203.0.113.7", "2001:db8:7:1::/64")))
PAGES = ROOT / "docs" / "backends"
APACHE = [one.text for one in blocks_of(PAGES / "apache.md") if one.language == "apache"]
CADDY = [one.text for one in blocks_of(PAGES / "caddy.md") if one.language == "caddy"]
MODULES = (
    *("mpm_event", *apache.MODULES, "authn_core", "authn_file", "auth_basic", "authz_user"),
    *("proxy", "proxy_http", "remoteip"),
)


def test_the_files_shown_are_those_written() -> None:
    assert APACHE[0] == ApacheSyntax().render("jellyfin", FRIENDS)
    assert CADDY[0] == CaddySyntax().render("jellyfin", FRIENDS)


@pytest.mark.parametrize("block", APACHE[1:], ids=range(1, len(APACHE)))
def test_apache_takes_what_its_page_says(block: str, tmp_path: Path) -> None:
    (tmp_path / "jellyfin.conf").write_text(APACHE[0])
    (tmp_path / "proxies.conf").write_text(RemoteIpSyntax().render("proxies", FRIENDS))
    (tmp_path / "scanners.conf").write_text(RequireNoneSyntax().render("scanners", FRIENDS))
    loading = [f"LoadModule {name}_module modules/mod_{name}.so" for name in MODULES]
    lines = ["ServerRoot /usr/lib/apache2", "ServerName a.example", "Listen 127.0.0.1:8080"]
    lines += [f"ErrorLog {tmp_path}/error.log", f"DefaultRuntimeDir {tmp_path}"]
    text = block.replace("/etc/apache2/allowsync/", f"{tmp_path}/")
    config = tmp_path / "apache.conf"
    config.write_text("\n".join([*lines, *loading, text]))
    argv = (apache.PROGRAM, "-t", "-f", config)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "Syntax OK")


def test_caddy_takes_what_its_page_says(tmp_path: Path) -> None:
    ours = tmp_path / "jellyfin.caddy"
    ours.write_text(CADDY[0])
    config = tmp_path / "Caddyfile"
    config.write_text(CADDY[1].replace("/etc/caddy/allowsync/jellyfin.caddy", str(ours)))
    argv = (caddy.PROGRAM, "adapt", "--config", config, "--adapter", "caddyfile")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "203.0.113.7/32" in done.stdout


def test_caddy_takes_proxies_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "proxies.caddy").write_text(ProxiesSyntax().render("proxies", FRIENDS))
    config = tmp_path / "Caddyfile"
    config.write_text(CADDY[3].replace("/etc/caddy/allowsync/", f"{tmp_path}/"))
    argv = (caddy.NEWER, "adapt", "--config", config, "--adapter", "caddyfile")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_there_are_blocks_to_look_at() -> None:
    assert (len(APACHE), len(CADDY)) == (6, 4)
