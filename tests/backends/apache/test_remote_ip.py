"""Which proxies an Apache believes, by its modules and its files."""

from __future__ import annotations

import pytest
from allowsync_backends.apache.remote_ip import MODULE, believed

LISTEN = "Listen 80\n<IfModule ssl_module>\n  Listen [::]:443\n  Listen 127.0.0.1:81\n</IfModule>\n"
HEADER = "RemoteIPHeader CF-Connecting-IP\n"
PROXIES = "RemoteIPTrustedProxy 192.0.2.0/24 10.0.0.1\nRemoteIPInternalProxy 10.1.0.0/16\n"
LOADED, BARE = frozenset({MODULE}), frozenset({"mpm_event_module"})
PORTS = (80, 443)
LISTED = {"/etc/apache2/conf/cdn.lst": "# the CDN\n192.0.2.0/24 # here\n\n2001:db8::/32\n"}
LIST = "RemoteIPTrustedProxyList /etc/apache2/conf/cdn.lst\n"
ROOT = 'ServerRoot "/etc/apache2"\n'


def seen(modules: frozenset[str], text: str) -> object:
    """The networks, headers and ports of a file."""
    found = believed(modules, {"/etc/apache2/apache2.conf": text} if text else {}, LISTED)
    return None if found is None else (list(map(str, found.networks)), found.headers, found.ports)


@pytest.mark.parametrize(
    ("modules", "text", "expected"),
    [
        (BARE, LISTEN, ([], (), PORTS)),
        (BARE, LISTEN + HEADER, ([], (), PORTS)),
        (LOADED, LISTEN, ([], (), PORTS)),
        (
            LOADED,
            LISTEN + HEADER + PROXIES,
            (["10.1.0.0/16", "192.0.2.0/24", "10.0.0.1/32"], ("CF-Connecting-IP",), PORTS),
        ),
        (LOADED, LISTEN + HEADER, (["0.0.0.0/0", "::/0"], ("CF-Connecting-IP",), PORTS)),
        (LOADED, f"{LISTEN}{HEADER}RemoteIPTrustedProxy proxy.example.org\n", None),
        (LOADED, f"{LISTEN}{HEADER}RemoteIPTrustedProxyList conf/edge.lst\n", None),
        (
            LOADED,
            f"{LISTEN}{HEADER}{ROOT}RemoteIPInternalProxyList conf/cdn.lst\n",
            (["192.0.2.0/24", "2001:db8::/32"], ("CF-Connecting-IP",), PORTS),
        ),
        (
            LOADED,
            f"{LISTEN}{HEADER}{LIST}RemoteIPTrustedProxy 10.0.0.1\n",
            (["10.0.0.1/32", "192.0.2.0/24", "2001:db8::/32"], ("CF-Connecting-IP",), PORTS),
        ),
        (LOADED, f"{LISTEN}{HEADER}RemoteIPProxyProtocol On\n", None),
        (BARE, "Listen 127.0.0.1:80\n", None),
        (BARE, "", ([], (), ())),
        (LOADED, "", None),
    ],
)
def test_what_is_believed_is_what_mod_remoteip_is_told(
    modules: frozenset[str], text: str, expected: object
) -> None:
    assert seen(modules, text) == expected
