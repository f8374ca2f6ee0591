"""What a configuration of nginx makes of our file: whole configurations, and what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.nginx import Style
from allowsync_backends.nginx.check import of_allows, of_variable
from allowsync_backends.nginx.configuration import NginxDirective, files, parsed, places, tree, walk

from allowsync.model.target import Effect, Severity
from tests.support.nginx import Nginx, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.model.target import Finding

MAIN, OURS = "/etc/nginx/nginx.conf", "/etc/nginx/friends.conf"
HERE = f'"server" in "http" ({MAIN})'
CHALLENGE = "/.well-known/acme-challenge"
NEAR = f"{CHALLENGE}s"
GUARDED = "location / { include friends.conf; }"
HALVES = "deny 0.0.0.0/1; deny 128.0.0.0/1; deny ::/0;"
ACME = f"location ^~ {CHALLENGE}/ {{ root /var/lib/acme; }}"
SERVICE = "proxy_pass http://127.0.0.1:8096;"
CLIENT = f"location {CHALLENGE}/ {{ allow all; proxy_pass http://127.0.0.1:8402; }}"
# Challenges that are passed on to the service behind the list, whatever it is called there.
LEAKING = {
    "the same": "proxy_pass http://127.0.0.1:8096;",
    "another path": "proxy_pass http://localhost:8096/;",
    "by an upstream": "proxy_pass http://films;",
}
TRUSTED = "set_real_ip_from 0.0.0.0/0"
MINE = f"# configuration file {OURS}:\nallow 81.2.69.1/32;\ndeny all;\n"


def dump(main: str, **others: str) -> str:
    """What `nginx -T` prints."""
    parts = {MAIN: main, **{f"/etc/nginx/{name}.conf": text for name, text in others.items()}}
    return "".join(f"# configuration file {path}:\n{text}\n" for path, text in parts.items()) + MINE


def whole(main: str, **others: str) -> tuple[NginxDirective, ...]:
    return tree(files(dump(main, **others)), OURS)


def said(findings: Iterator[Finding]) -> list[str]:
    return [f"{one.severity.value}: {one.what}" for one in findings]


def allows(main: str, **others: str) -> list[str]:
    return said(of_allows(whole(main, **others), OURS))


def test_words_quotes_comments_and_blocks_are_read_as_nginx_reads_them() -> None:
    text = """
        # a { comment; }
        a 'b c' "d \\" e" f#g;  # h;
        i { j ${k}l; m { n; } }
        o "";
        """
    assert parsed(text, MAIN) == (
        NginxDirective(MAIN, ("a", "b c", 'd \\" e', "f#g")),
        NginxDirective(
            MAIN,
            ("i",),
            (
                NginxDirective(MAIN, ("j", "${k}l")),
                NginxDirective(MAIN, ("m",), (NginxDirective(MAIN, ("n",)),)),
            ),
        ),
        NginxDirective(MAIN, ("o", "")),
    )


@pytest.mark.parametrize(
    "text", ["{", "}", "a {", "} b;", "{{{;;;}", '"', "'a", "\\", "${", ";", "a", "# {"]
)
def test_what_is_no_configuration_is_read_without_a_fuss(text: str) -> None:
    for one in walk(parsed(text, MAIN)):
        assert one.name is not None


def test_files_that_include_files_are_put_together_by_pattern() -> None:
    found = whole(
        "http { include sites/*.conf; include /etc/nginx/friends.conf; include none/*; }",
        **{"sites/b": "server { b; }", "sites/a": "include friends.conf;", "sites/x/c": "c;"},
    )
    assert [one.text for one in walk(found)] == [
        "http",
        f"include {OURS}",
        "server",
        "b",
        f"include {OURS}",
    ]
    assert [place.at for place in places(found, OURS)] == [0, 2]


def test_files_in_a_circle_come_to_an_end() -> None:
    found = whole("include a.conf;", a="include b.conf; a;", b="include a.conf;")
    assert {one.text for one in walk(found)} == {"a"}


def test_a_file_nobody_includes_has_no_effect() -> None:
    (what,) = allows("http { server { } }")
    assert what == f"error: no configuration of nginx includes {OURS}: it has no effect"


@pytest.mark.parametrize(
    "main",
    [
        "http { server { include friends.conf; location / { } } }",
        "http { server { location / { include friends.conf; } } }",
        "http { server { allow 192.168.0.0/16; deny 192.168.1.1; include friends.conf; } }",
        "http { satisfy any; server { satisfy all; include friends.conf; } }",
        "stream { server { include friends.conf; } }",
        f"http {{ server {{ include friends.conf; location {CHALLENGE} {{ allow all; }} }} }}",
        "http { server { location / { include friends.conf; } location /a { auth_request /x; } } }",
        "http { server { location / { include friends.conf; } location /a { return 301 /; } } }",
        f"http {{ server {{ deny all; {GUARDED} location /a {{ root a; }} }} }}",
        f"http {{ server {{ location / {{ include friends.conf; }} {ACME} }} }}",
        f"http {{ server {{ include friends.conf; location ~ ^{CHALLENGE}/ {{ allow all; }} }} }}",
        f"http {{ server {{ auth_basic x; {GUARDED} location /a {{ root a; }} }} }}",
        f"http {{ server {{ {CLIENT} location / {{ include friends.conf; {SERVICE} }} }} }}",
        f"http {{ server {{ include friends.conf; location {CHALLENGE} {{ {SERVICE} }} }} }}",
        f"http {{ server {{ include friends.conf; location / {{ {SERVICE} }} {CLIENT} }} }}",
        "http { server { include friends.conf; location / { deny ::1; include friends.conf; } } }",
    ],
)
def test_a_file_in_its_place_is_nothing_to_speak_of(main: str) -> None:
    assert allows(main) == []


@pytest.mark.parametrize("onward", LEAKING.values(), ids=LEAKING)
@pytest.mark.parametrize("outside", [True, False], ids=["server", "location"])
def test_a_challenge_passed_on_to_the_service_is_named(onward: str, *, outside: bool) -> None:
    include = "include friends.conf;"
    site = f"{include} location / {{ {SERVICE} }}"
    if not outside:
        site = f"location / {{ {include} {SERVICE} }}"
    films = "upstream films { server 127.0.0.1:8096; }"
    challenge = f"location ^~ {CHALLENGE}/ {{ allow all; {onward} }}"
    (found,) = allows(f"http {{ {films} server {{ {site} {challenge} }} }}")
    assert found == (
        f'warning: "location ^~ {CHALLENGE}/" ({MAIN}) passes strangers on to the service that '
        f"{OURS} guards"
    )


@pytest.mark.parametrize(
    ("main", "what"),
    [
        (
            "http { server { allow all; include friends.conf; } }",
            f'error: in {HERE}, "allow all" before the include of {OURS} lets everyone in',
        ),
        (
            "http { server { deny all; include friends.conf; } }",
            f'error: in {HERE}, "deny all" before the include of {OURS} shuts friends out, too',
        ),
        (
            "http { server { include friends.conf; allow ::1; allow 127.0.0.1; } }",
            f'warning: in {HERE}, "allow ::1" after the include of {OURS} has no effect',
        ),
        (
            "http { server { include friends.conf; location /admin { deny all; } } }",
            f'info: "location /admin" in {HERE} has rules of its own: {OURS} is not for it',
        ),
        (
            "http { server { include friends.conf; location /m { allow 10.0.0.0/8; deny all; } } }",
            f'info: "location /m" in {HERE} has rules of its own: {OURS} is not for it',
        ),
        (
            "http { server { include friends.conf; location /web { allow all; } } }",
            (
                f'warning: "location /web" in {HERE} has rules of its own: {OURS} is not for it, '
                "and strangers get in"
            ),
        ),
        (
            "http { server { include friends.conf; location /w { deny 0.0.0.0/0; } } }",
            (
                f'warning: "location /w" in {HERE} has rules of its own: {OURS} is not for it, '
                "and strangers get in"
            ),
        ),
        (
            "http { server { location / { include friends.conf; } location /web { root /x; } } }",
            (
                f'warning: strangers reach "location /web" ({MAIN}): {OURS} is included in '
                '"location /" beside it alone'
            ),
        ),
        (
            f"http {{ server {{ include friends.conf; location {NEAR} {{ allow 0::/0; }} }} }}",
            (
                f'warning: "location {NEAR}" in {HERE} has rules of its own: {OURS} is not for '
                "it, and strangers get in"
            ),
        ),
        (
            f"http {{ server {{ include friends.conf; location /h {{ {HALVES} }} }} }}",
            f'info: "location /h" in {HERE} has rules of its own: {OURS} is not for it',
        ),
        (
            "http { server { include friend[s].conf; } }",
            (
                f'warning: "include friend[s].conf" in {HERE} is a pattern: if {OURS} is missing, '
                "nginx starts without it and lets everyone in"
            ),
        ),
        (
            "http { satisfy any; server { include friends.conf; } }",
            f'info: with "satisfy any" in {HERE}, others who sign in get in, too',
        ),
        (
            f"http {{ {TRUSTED}; server {{ include friends.conf; }} }}",
            f'warning: "{TRUSTED}" ({MAIN}) lets every client say which address it comes from',
        ),
        (
            "http { server { set_real_ip_from 128.0.0.0/1; include friends.conf; } }",
            (
                f'warning: "set_real_ip_from 128.0.0.0/1" ({MAIN}) lets every client say which '
                "address it comes from"
            ),
        ),
        *(
            (
                f"http {{ server {{ allow {docker}; include friends.conf; }} }}",
                (
                    f'warning: in {HERE}, "allow {docker}" lets in whatever comes from a container '
                    "or through Docker's own proxy, and so the clients that these pass on"
                ),
            )
            for docker in ("172.16.0.0/12", "172.17.0.0/16", "172.18.0.1", "172.0.0.0/8")
        ),
        (
            "http { server { listen 443 ssl proxy_protocol; include friends.conf; } }",
            f'warning: "listen 443 ssl proxy_protocol" ({MAIN}), but no set_real_ip_from',
        ),
    ],
)
def test_what_stands_in_the_way_is_named(main: str, what: str) -> None:
    assert allows(main) == [what]


@pytest.mark.parametrize(
    "near", ["192.168.1.0/24", "10.0.0.0/8", "172.16.5.0/24", "172.18.0.9", "127.0.0.1", "fd00::/8"]
)
def test_networks_near_by_may_be_let_in_besides(near: str) -> None:
    assert allows(f"http {{ server {{ allow {near}; include friends.conf; }} }}") == []


def test_files_of_two_allowlists_in_one_block_do_not_add_up() -> None:
    other = "allow 90.0.0.1/32;\ndeny all;\n"
    main = "http { server { include friends.conf; include family.conf; } }"
    (what,) = allows(main, family=other)
    assert '"allow 90.0.0.1/32" after the include' in what
    main = "http { server { include family.conf; include friends.conf; } }"
    (what,) = allows(main, family=other)
    assert '"deny all" before the include' in what


def variable(main: str, source: str = "") -> list[str]:
    return said(of_variable(whole(main), OURS, "friends", source))


@pytest.mark.parametrize(
    "used", ["if ($friends = 0) { return 403; }", "map $friends $x { }", 'set $y "${friends}!";']
)
def test_a_variable_that_is_used_is_nothing_to_speak_of(used: str) -> None:
    assert variable(f"http {{ include friends.conf; server {{ {used} }} }}") == []


@pytest.mark.parametrize(
    ("asked", "turned"),
    [
        ("$friends", Effect.ALLOW),
        ("${friends}", Effect.ALLOW),
        ("$friends = 1", Effect.ALLOW),
        ('$friends = "1"', Effect.ALLOW),
        ("$friends != 0", Effect.ALLOW),
        ("$friends = 0", Effect.DENY),
        ("$friends != 1", Effect.DENY),
        ("$friends_too", None),
        ("$x", None),
    ],
)
@pytest.mark.parametrize("effect", Effect)
def test_a_condition_that_is_turned_round_is_told(
    asked: str, turned: Effect | None, effect: Effect
) -> None:
    used = f"if ({asked}) {{ return 444; }} if ($friends) {{ set $x 1; }} if ($x) {{ return 200; }}"
    main = f"http {{ include friends.conf; server {{ {used} }} }}"
    found = list(of_variable(whole(main), OURS, "friends", "", effect))
    assert len(found) == (turned is effect)
    assert all("refuses" in one.what for one in found)


@pytest.mark.parametrize("used", ["", "set $friends_too 1;", "# $friends\n", "set $x friends;"])
def test_a_variable_that_nothing_uses_has_no_effect(used: str) -> None:
    (what,) = variable(f"http {{ include friends.conf; server {{ {used} }} }}")
    assert what == "error: nothing in the configuration of nginx uses $friends: it has no effect"


def test_a_header_is_no_source_of_addresses() -> None:
    main = "http { include friends.conf; server { if ($friends = 0) { return 403; } } }"
    (what,) = variable(main, "$http_x_real_ip")
    assert what.startswith("warning: $http_x_real_ip is what a client says of itself")
    assert variable(main, "$realip_remote_addr") == []
    (what,) = variable(main, "$proxy_add_x_forwarded_for")
    assert "any client that knows of it gets in" in what


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        ("443 ssl proxy_protocol", True),
        ("[::]:443 proxy_protocol", True),
        ("443", False),
        ("127.0.0.1:443 proxy_protocol", False),
        ("100.64.0.2:443 proxy_protocol", False),
        ("unix:/run/s proxy_protocol", False),
    ],
)
def test_the_address_of_a_proxy_header_is_whoever_writes_it_says(
    listen: str, *, told: bool
) -> None:
    server = f"server {{ listen {listen}; set $x $friends; }}"
    main = f"http {{ include friends.conf; {server} }}"
    found = [one for one in variable(main, "$proxy_protocol_addr") if "set_real" not in one]
    assert bool(found) == told
    assert all(
        "is what the PROXY header says, and any client may write one" in one for one in found
    )


@pytest.fixture
def nginx(tmp_path: Path) -> Nginx:
    return Nginx(tmp_path)


SOCKET = "listen unix:{folder}/socket;"


def findings(nginx: Nginx, style: Style = Style.ALLOW) -> list[str]:
    return [one.what for one in nginx.backend(style=style).check()]


def prepared(nginx: Nginx, http: str, text: str) -> None:
    nginx.configure(http.replace("LISTEN", SOCKET.format(folder=nginx.folder)))
    nginx.path.write_text(text)
    nginx.path.chmod(0o644)


ALLOWS = (
    '# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.\ndeny all;\n'
)


def test_the_real_one_is_asked_and_understood(nginx: Nginx) -> None:
    prepared(nginx, "server { LISTEN include ours/friends.conf; }", ALLOWS)
    with serving(nginx):
        assert findings(nginx) == []
        prepared(nginx, "server { LISTEN }", ALLOWS)
        (what,) = findings(nginx)
        assert "no configuration of nginx includes" in what


def test_a_file_included_by_way_of_a_link_is_found(nginx: Nginx) -> None:
    (nginx.folder / "link").symlink_to("ours")
    prepared(nginx, "server { LISTEN include link/friends.conf; }", ALLOWS)
    with serving(nginx):
        assert findings(nginx) == []


def test_a_configuration_that_is_not_valid_is_told_once(nginx: Nginx) -> None:
    prepared(nginx, "server { LISTEN include ours/friends.conf; }", ALLOWS)
    with serving(nginx):
        nginx.configure("server { listens 80; }")
        (what,) = findings(nginx)
        assert what.startswith("nginx does not take its configuration: nginx failed with exit code")
        assert 'unknown directive "listens"' in what


def test_a_server_that_does_not_run_is_told_and_looked_into_all_the_same(nginx: Nginx) -> None:
    prepared(nginx, "server { LISTEN allow all; include ours/friends.conf; }", ALLOWS)
    stopped, open_to_all = nginx.backend().check()
    assert (stopped.severity, open_to_all.severity) == (Severity.WARNING, Severity.ERROR)
    assert stopped.what == f"the server of {nginx.pid_file} does not run"
    assert "lets everyone in" in open_to_all.what


def test_a_missing_program_is_told(nginx: Nginx) -> None:
    prepared(nginx, "server { LISTEN include ours/friends.conf; }", ALLOWS)
    (stopped,) = nginx.backend(program="no-such-nginx").check()
    assert "does not run" in stopped.what
