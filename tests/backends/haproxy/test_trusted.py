"""Whether a HAProxy asks its list as it is meant, by its configuration."""

from __future__ import annotations

import pytest
from allowsync_backends.haproxy.configuration import believed, lines, turned_round, uses

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


ACL = f"acl friends src -f {LIST}\n"
ONE = f"{{ src -f {LIST} }}"


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        (f"http-request deny if {ONE}", "listed"),
        (f"http-request deny unless !{ONE}", "listed"),
        (f"tcp-request connection reject if {ONE}", "listed"),
        (f"{ACL}http-request deny if friends", "listed"),
        (f"{ACL}http-request tarpit unless ! friends", "listed"),
        (f"http-request deny unless {ONE}", "others"),
        (f"{ACL}http-request deny if !friends", "others"),
        (f"http-request deny if {ONE} {{ path /admin }}", ""),
        (f"{ACL}http-request deny if friends admins", ""),
        (f"{ACL}acl x src 10.0.0.1\nhttp-request deny if x", ""),
        (f"http-request allow if {ONE}", ""),
        (f"use_backend x if {ONE}", ""),
    ],
)
def test_a_rule_that_is_turned_round_is_found(text: str, refuses: str) -> None:
    written = lines({"/etc/haproxy/haproxy.cfg": text})
    (use,) = uses(written, LIST)
    assert len(list(turned_round(written, use, allow=True))) == (refuses == "listed")
    assert len(list(turned_round(written, use, allow=False))) == (refuses == "others")
