"""Which proxies an nginx believes where our file is included, by its whole configuration."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.nginx import Style
from allowsync_backends.nginx.configuration import tree
from allowsync_backends.nginx.real_ip import believed

from tests.support.nginx import Nginx

if TYPE_CHECKING:
    from pathlib import Path

MAIN, OURS = "/etc/nginx/nginx.conf", "/etc/nginx/friends.conf"
OURS_HERE = "include friends.conf;"
CDN, PROXY = "set_real_ip_from 192.0.2.0/24;", "set_real_ip_from 10.0.0.1;"
HEADER = "real_ip_header CF-Connecting-IP;"


def seen(text: str) -> tuple[list[str], tuple[str, ...], tuple[int, ...]] | None:
    """The networks, headers and ports of a configuration."""
    found = believed(tree({MAIN: text, OURS: "deny all;"}, OURS), OURS)
    return None if found is None else (list(map(str, found.networks)), found.headers, found.ports)


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        pytest.param(
            f"server {{ {OURS_HERE} }}", ([], ("X-Real-IP",), (80,)), id="nothing is said"
        ),
        pytest.param(
            f"{CDN} {HEADER} server {{ listen 443 ssl; location / {{ {OURS_HERE} }} }}",
            (["192.0.2.0/24"], ("CF-Connecting-IP",), (443,)),
            id="around it",
        ),
        pytest.param(
            f"{CDN} server {{ {PROXY} {HEADER} {OURS_HERE} }}",
            (["10.0.0.1/32"], ("CF-Connecting-IP",), (80,)),
            id="the innermost counts",
        ),
        pytest.param(
            f"server {{ {CDN} listen 81; }} server {{ {OURS_HERE} }}",
            ([], ("X-Real-IP",), (80,)),
            id="another server's do not",
        ),
        pytest.param(
            f"{CDN} server {{ listen [::]:8080; listen 192.0.2.9; listen 127.0.0.1:81; "
            f"listen unix:/run/s; listen *:443; {OURS_HERE} }}",
            (["192.0.2.0/24"], ("X-Real-IP",), (8080, 80, 443)),
            id="ports that are reached from elsewhere",
        ),
        pytest.param(
            f"{OURS_HERE} server {{ listen 81; {CDN} }} server {{ listen 82; }}",
            (["192.0.2.0/24"], ("X-Real-IP",), (81, 82)),
            id="a variable, which any server may use",
        ),
        pytest.param(
            f"server {{ listen 81; {CDN} {OURS_HERE} }} server {{ listen 82; {OURS_HERE} }}",
            ([], ("X-Real-IP",), (82,)),
            id="of two places that which believes nothing",
        ),
        pytest.param(
            f"server {{ listen 81; {CDN} {OURS_HERE} }} "
            f"server {{ listen 82; {PROXY} {OURS_HERE} }}",
            (["192.0.2.0/24", "10.0.0.1/32"], ("X-Real-IP",), (81, 82)),
            id="of two places both",
        ),
        pytest.param("server { }", None, id="not included"),
        pytest.param(f"server {{ listen 127.0.0.1:81; {OURS_HERE} }}", None, id="near alone"),
        pytest.param(f"server {{ listen 80 proxy_protocol; {OURS_HERE} }}", None, id="PROXY"),
        pytest.param(
            f"{CDN} real_ip_header proxy_protocol; server {{ {OURS_HERE} }}", None, id="its header"
        ),
        pytest.param(
            f"set_real_ip_from proxy.example.org; server {{ {OURS_HERE} }}", None, id="a name"
        ),
    ],
)
def test_what_is_believed_is_what_holds_where_the_file_is_included(
    http: str, expected: object
) -> None:
    assert seen(f"http {{ {http} }}") == expected


def test_of_streams_nothing_is_known() -> None:
    assert seen(f"stream {{ server {{ listen 80; {OURS_HERE} }} }}") is None


def test_a_real_nginx_is_asked_for_its_configuration(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path)
    nginx.path.write_text("# allowsync\ndeny all;\n")
    nginx.configure(f"{CDN} {HEADER} server {{ listen 8443; include {nginx.path}; }}")
    found = nginx.backend().trusted_proxies()
    assert found is not None
    assert found.networks == (ip_network("192.0.2.0/24"),)
    assert (found.headers, found.ports) == (("CF-Connecting-IP",), (8443,))
    assert "set_real_ip_from" in found.advice


def test_of_a_list_that_is_asked_about_another_variable_nothing_is_known(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path)
    nginx.path.write_text("geo $allowsync_x { default 0; }")
    nginx.configure(f"include {nginx.path}; server {{ listen 8443; }}")
    assert nginx.backend(style=Style.GEO).trusted_proxies() is not None
    assert nginx.backend(style=Style.GEO, source="$http_x").trusted_proxies() is None
