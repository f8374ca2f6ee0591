"""What is written for Caddy, what is asked of it, and where its adapter puts it: values."""

from __future__ import annotations

import json
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from allowsync_backends.caddy import TYPE, CaddyOptions, DeniedResponse, Matcher
from allowsync_backends.caddy.admin_api import AdminAddress, place
from allowsync_backends.caddy.server import caddy
from allowsync_backends.caddy.snippet import Snippet, SnippetGate, admin_address, admin_is_off
from allowsync_backends.caddy.syntax import CaddySyntax
from allowsync_backends.common.server.supervisor import ReloadMethod
from allowsync_backends.file.syntax import FileContent
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.types import by_network
from tests.support.caddy import PROGRAM

HEADER = '# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.\n'
OURS = "/etc/caddy/allowsync/friends.caddy"
FRIENDS = frozenset(map(ip_network, ("81.2.69.1/32", "2a02::/64")))

networks = st.frozensets(
    st.one_of(
        st.ip_addresses(v=4).flatmap(
            lambda one: st.integers(0, 32).map(lambda n: ip_network(f"{one}/{n}", strict=False))
        ),
        st.ip_addresses(v=6).flatmap(
            lambda one: st.integers(0, 128).map(lambda n: ip_network(f"{one}/{n}", strict=False))
        ),
    ),
    max_size=8,
)


def test_a_network_is_a_line_of_a_matcher_that_is_negated() -> None:
    assert CaddySyntax().render("x", FRIENDS) == HEADER + (
        "(allowsync_x) {\n"
        "\t@allowsync_x {\n"
        "\t\tnot {\n"
        "\t\t\tremote_ip 81.2.69.1/32\n"
        "\t\t\tremote_ip 2a02::/64\n"
        "\t\t}\n"
        "\t}\n"
        "\tabort @allowsync_x\n"
        "}\n"
    )


def test_a_trusted_proxy_may_name_the_client_and_strangers_may_be_answered() -> None:
    text = CaddySyntax(Matcher.CLIENT_IP, DeniedResponse.FORBIDDEN).render("x", FRIENDS)
    assert "\t\t\tclient_ip 81.2.69.1/32\n" in text
    assert "\trespond @allowsync_x 403 {\n\t\tclose\n\t}\n}\n" in text
    assert "abort" not in text


@pytest.mark.parametrize(
    ("refusal", "body"),
    [
        (DeniedResponse.ABORT, "\tabort *\n"),
        (DeniedResponse.FORBIDDEN, "\trespond * 403 {\n\t\tclose\n\t}\n"),
    ],
)
def test_an_empty_allowlist_refuses_everybody(refusal: DeniedResponse, body: str) -> None:
    text = CaddySyntax(refusal=refusal).render("x", ())
    assert text == f"{HEADER}(allowsync_x) {{\n{body}}}\n"
    assert CaddySyntax().parse(text) == FileContent("x", frozenset())


@given(networks, st.sampled_from(Matcher), st.sampled_from(DeniedResponse))
def test_what_was_written_is_read(
    held: frozenset[Any], matcher: Matcher, refusal: DeniedResponse
) -> None:
    syntax = CaddySyntax(matcher, refusal)
    text = syntax.render("x", held)
    assert syntax.parse(text) == FileContent("x", held)
    assert text == syntax.render("x", sorted(held, key=by_network, reverse=True))


@pytest.mark.parametrize(
    "line", ["remote_ip private_ranges", "remote_ip 10.0.0.1/8", "remote_ip", "path 81.2.69.1"]
)
def test_lines_that_are_not_ours_hold_nothing(line: str) -> None:
    assert CaddySyntax().parse(f"{HEADER}\t\t{line}\n") == FileContent("x", frozenset())


def test_a_file_without_our_header_is_not_ours() -> None:
    assert CaddySyntax().parse("(allowsync_x) {\n\tabort\n}\n") is None


def asked(**written: Any) -> tuple[tuple[str, ...], ReloadMethod]:
    server = caddy(CaddyOptions(path=Path(OURS), **written), CaddySyntax(), "x")
    return server.check, server.notice


def test_it_is_checked_without_a_trace_and_told_by_its_own_command() -> None:
    named = ("--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile")
    assert asked() == (("caddy", "adapt", *named), ReloadMethod(("caddy", "reload", *named)))


def test_program_configuration_and_admin_api_may_be_elsewhere() -> None:
    named = ("--config", "/srv/C", "--adapter", "caddyfile")
    check, notice = asked(program="/opt/caddy-l4", config=Path("/srv/C"), admin="unix//run/caddy")
    assert check == ("/opt/caddy-l4", "adapt", *named)
    assert notice == ReloadMethod(
        ("/opt/caddy-l4", "reload", *named, "--address", "unix//run/caddy")
    )


def test_a_program_of_another_name_is_known_by_it() -> None:
    assert CaddyOptions(path=Path(OURS), program="/opt/caddy-l4").names == ("caddy", "caddy-l4")


def test_a_program_by_a_relative_path_is_refused() -> None:
    with pytest.raises(ValueError, match="program must start with an absolute path"):
        CaddyOptions(path=Path(OURS), program="./caddy")


def test_a_service_writes_the_folder_and_speaks_to_caddy() -> None:
    needs = TYPE.needs(CaddyOptions(path=Path("/etc/friends.caddy")))
    assert (needs.writes, needs.commands) == (("/etc",), True)


def adapted(
    folder: Path,
    sites: str,
    syntax: CaddySyntax,
    held: frozenset[Any],
    *,
    head: str = "",
    program: str = PROGRAM,
) -> dict[str, Any]:
    """What Caddy itself makes of sites that may import our snippet."""
    config = folder / "Caddyfile"
    config.write_text(f"{head}{syntax.render('x', held)}\n{sites}")
    argv = (program, "adapt", "--config", config, "--adapter", "caddyfile")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def gates(folder: Path, sites: str, held: frozenset[Any] = FRIENDS) -> list[SnippetGate]:
    document = adapted(folder, sites, CaddySyntax(), held)
    return list(Snippet(Matcher.REMOTE_IP, DeniedResponse.ABORT, held).gates(document))


SITES = {
    "http://a.example {\n import allowsync_x\n reverse_proxy :1\n}": ("a.example", ()),
    "http://a.example, http://b.example {\n import allowsync_x\n file_server\n}": (
        "a.example, b.example",
        (),
    ),
    ":80 {\n reverse_proxy :1\n root * /srv\n import allowsync_x\n}": (":80", ()),
    ":80 {\n import allowsync_x\n handle /x/* {\n reverse_proxy :1\n }\n}": (
        ":80",
        ("reverse_proxy at /x/*",),
    ),
    ":80 {\n import allowsync_x\n route /x {\n templates\n file_server\n }\n}": (
        ":80",
        ("file_server at /x",),
    ),
    ":80 {\n import allowsync_x\n handle {\n reverse_proxy :1\n }\n}": (":80", ("reverse_proxy",)),
    ":80 {\n route {\n import allowsync_x\n handle {\n reverse_proxy :1\n }\n }\n}": (":80", ()),
    ":80 {\n route /a {\n file_server\n }\n route {\n import allowsync_x\n metrics\n }\n}": (
        ":80",
        ("file_server at /a",),
    ),
    ":80 {\n import allowsync_x\n handle /aa {\n file_server\n }\n handle /b {\n metrics\n }\n}": (
        ":80",
        ("file_server at /aa", "metrics at /b"),
    ),
    ":80 {\n route {\n metrics /m\n import allowsync_x\n reverse_proxy :1\n }\n}": (
        ":80",
        ("metrics at /m",),
    ),
    ":80 {\n handle /a {\n metrics\n }\n handle {\n import allowsync_x\n file_server\n }\n}": (
        ":80",
        (),
    ),
    ":80 {\n import allowsync_x\n handle /h {\n respond ok\n }\n redir /a /b\n metrics\n}": (
        ":80",
        (),
    ),
    ":80 {\n forward_auth :2 {\n uri /ok\n }\n import allowsync_x\n reverse_proxy :1\n}": (
        ":80",
        (),
    ),
}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("held", [FRIENDS, frozenset()], ids=["friends", "nobody"])
def test_what_caddy_puts_before_the_snippet_is_named(
    tmp_path: Path, site: str, held: frozenset[Any]
) -> None:
    assert gates(tmp_path, site, held) == [SnippetGate(*SITES[site])]


def test_a_site_that_does_not_use_it_has_no_gate(tmp_path: Path) -> None:
    own = ":80 {\n @lan not remote_ip 10.0.0.0/8\n abort @lan\n reverse_proxy :1\n}"
    assert gates(tmp_path, own) == []
    assert (
        gates(tmp_path, ":80 {\n @x not remote_ip 81.2.69.1/32 2a02::/64\n error @x 403\n}") == []
    )
    assert gates(tmp_path, "") == []


def test_a_part_that_has_the_snippet_itself_does_not_come_before_it(tmp_path: Path) -> None:
    parts = "".join(
        f" handle /{part}/* {{\n import allowsync_x\n file_server\n }}\n" for part in "xy"
    )
    assert gates(tmp_path, f":80 {{\n{parts}}}") == [SnippetGate(":80", ()), SnippetGate(":80", ())]
    nested = f":80 {{\n route {{\n{parts} import allowsync_x\n reverse_proxy :1\n }}\n}}"
    with pytest.raises(AssertionError, match="defined more than once"):
        gates(tmp_path, nested)


def test_so_it_is_where_it_refuses_everybody(tmp_path: Path) -> None:
    within = "route {\n import allowsync_x\n file_server\n file_server /z\n }"
    site = f":80 {{\n import allowsync_x\n handle /x/* {{\n {within}\n }}\n}}"
    assert gates(tmp_path, site, frozenset()) == [SnippetGate(":80", ()), SnippetGate(":80", ())]


def test_somebodys_own_refusal_is_not_that_of_an_empty_allowlist(tmp_path: Path) -> None:
    assert gates(tmp_path, ":80 {\n abort /secret\n file_server\n}", frozenset()) == []


def test_every_site_is_looked_at(tmp_path: Path) -> None:
    sites = "".join(
        f"http://{name}.example:{port} {{\n import allowsync_x\n file_server\n}}\n"
        for name, port in (("a", 1), ("b", 1), ("c", 2))
    )
    found = gates(tmp_path, sites + "http://open.example {\n file_server\n}\n")
    assert sorted(one.site for one in found) == ["a.example", "b.example", "c.example"]


@pytest.mark.parametrize("refusal", DeniedResponse)
def test_each_refusal_is_known_and_no_other(tmp_path: Path, refusal: DeniedResponse) -> None:
    site = ":80 {\n import allowsync_x\n file_server\n}"
    document = adapted(tmp_path, site, CaddySyntax(refusal=refusal), FRIENDS)
    for looked_for in DeniedResponse:
        found = list(Snippet(Matcher.REMOTE_IP, looked_for, FRIENDS).gates(document))
        assert bool(found) is (looked_for is refusal)
    assert list(Snippet(Matcher.CLIENT_IP, refusal, FRIENDS).gates(document)) == []


@pytest.mark.parametrize(
    ("config", "off"),
    [({"admin": {"disabled": True}}, True), ({"admin": {"listen": ":1"}}, False), ({}, False)],
)
def test_an_admin_api_that_is_off_is_noticed(config: dict[str, Any], *, off: bool) -> None:
    assert admin_is_off(config) is off


@pytest.mark.parametrize(
    ("config", "address", "where"),
    [
        ({}, "localhost:2019", AdminAddress("localhost", 2019)),
        ({"admin": {"listen": ":99"}}, ":99", AdminAddress("localhost", 99)),
        ({"admin": {"listen": "0.0.0.0:99"}}, "0.0.0.0:99", AdminAddress("127.0.0.1", 99)),
        ({"admin": {"listen": "tcp/[::1]:99"}}, "tcp/[::1]:99", AdminAddress("::1", 99)),
        ({"admin": {"listen": "[::]:99"}}, "[::]:99", AdminAddress("::1", 99)),
        (
            {"admin": {"listen": "unix//run/c.sock|0220"}},
            "unix//run/c.sock|0220",
            AdminAddress("localhost", socket="/run/c.sock"),
        ),
        ({"admin": {"listen": "{env.ADMIN}"}}, "{env.ADMIN}", None),
        ({"admin": {"listen": 99}}, "localhost:2019", AdminAddress("localhost", 2019)),
    ],
    ids=str,
)
def test_the_admin_api_is_where_the_caddyfile_says(
    config: dict[str, Any], address: str, where: AdminAddress | None
) -> None:
    assert admin_address(config) == address
    assert place(address) == where


@pytest.mark.parametrize(
    "config",
    [
        {"apps": []},
        {"apps": {"http": {"servers": {"a": 1, "b": {"routes": 1}, "c": {"routes": [1]}}}}},
        {"apps": {"http": {"servers": {"a": {"routes": [{"match": [1], "handle": [1, {}]}]}}}}},
        {"apps": {"http": {"servers": {"a": {"routes": [{"match": [{"not": 1}]}]}}}}},
        {"admin": 1},
    ],
    ids=range(5),
)
def test_nothing_is_made_of_what_is_not_understood(config: dict[str, Any]) -> None:
    assert list(Snippet(Matcher.REMOTE_IP, DeniedResponse.ABORT, FRIENDS).gates(config)) == []
    assert not admin_is_off(config)
