"""Whether a HAProxy asks its list about the address of the connection, by its configuration."""

from __future__ import annotations

import pytest
from allowsync_backends.haproxy.configuration import believed, lines

LIST = "/etc/haproxy/friends.lst"
DENY = f"http-request deny unless {{ src -f {LIST} }}"
BIND = "bind *:80,ipv4@192.0.2.1:8080\nbind :443 ssl crt /etc/x.pem\nbind 127.0.0.1:81\n"
PORTS = (80, 8080, 443)


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        (f"{BIND}{DENY}", PORTS),
        (f"{BIND}acl friends src -f {LIST}\nhttp-request deny unless friends", PORTS),
        (f"{BIND}http-request set-src hdr(CF-Connecting-IP) if {{ src -f /x }}\n{DENY}", None),
        (f"bind :::80 v4v6\nbind ipv6@2001:db8::1:443,::1:81\n{DENY}", (80, 443)),
        (f"bind :80 accept-proxy\n{DENY}", None),
        (f"{BIND}http-request deny unless {{ hdr_ip(X-Real-IP) -f {LIST} }}", None),
        (BIND, None),
        (f"bind unix@/run/x\n{DENY}", None),
        (f"bind\n{DENY}", None),
    ],
)
def test_no_proxy_is_believed_where_the_source_is_asked_about(
    text: str, ports: tuple[int, ...] | None
) -> None:
    found = believed(lines({"/etc/haproxy/haproxy.cfg": text}), LIST)
    assert (None if found is None else found.ports) == ports
    assert found is None or (found.networks, found.headers) == ((), ())
