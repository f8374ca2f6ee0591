"""What is written for Apache, what is asked of it, and what its configuration tells: values."""

from __future__ import annotations

import signal
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from allowsync_backends.apache import TYPE, ApacheOptions
from allowsync_backends.apache.configuration import (
    Dump,
    alternatives,
    dump,
    excluding,
    optional,
    trusts_anybody,
)
from allowsync_backends.apache.server import apache
from allowsync_backends.apache.syntax import ApacheSyntax
from allowsync_backends.common.server.supervisor import ReloadMethod
from allowsync_backends.file.syntax import FileContent
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.target import Effect
from allowsync.model.types import by_network

HEADER = '# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.\n'
OURS = "/etc/apache2/allowsync/friends.conf"
ALL = "Require all granted"
END = "</Location>"

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


def test_a_network_is_a_line_and_ipv4_comes_first() -> None:
    given = map(ip_network, ("2a02::/64", "90.0.0.0/24", "81.2.69.1"))
    assert ApacheSyntax().render("x", given) == HEADER + (
        "<RequireAny>\n"
        "    Require ip 81.2.69.1/32\n"
        "    Require ip 90.0.0.0/24\n"
        "    Require ip 2a02::/64\n"
        "</RequireAny>\n"
    )


def test_an_empty_allowlist_denies_everybody() -> None:
    text = HEADER + "<RequireAny>\n    Require all denied\n</RequireAny>\n"
    assert ApacheSyntax().render("x", ()) == text
    assert ApacheSyntax().parse(text) == FileContent("x", frozenset())


def test_everybody_is_two_halves_because_apache_takes_no_width_of_zero() -> None:
    everybody = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    text = ApacheSyntax().render("x", everybody)
    assert "    Require ip 0.0.0.0/1 128.0.0.0/1\n    Require ip ::/1 8000::/1\n" in text
    assert ApacheSyntax().parse(text) == FileContent("x", frozenset(everybody))


@given(networks)
def test_what_was_written_is_read(held: frozenset[Any]) -> None:
    text = ApacheSyntax().render("x", held)
    assert ApacheSyntax().parse(text) == FileContent("x", held)
    assert text == ApacheSyntax().render("x", sorted(held, key=by_network, reverse=True))


@pytest.mark.parametrize(
    "line",
    [
        "Require all granted",
        "Require ip friend.example.org",
        "Require ip 81.2.69.1/24",
        "Require ip 10",
        "Require ip 0.0.0.0/1 0.0.0.0/1",
        "Require ip 81.2.69.0/25 81.2.69.128/25",
        "Require ip 81.2.69.1 and more",
        "Require not ip 81.2.69.1",
        "# Require ip",
    ],
)
def test_lines_that_are_not_ours_hold_nothing(line: str) -> None:
    assert ApacheSyntax().parse(f"{HEADER}{line}\n") == FileContent("x", frozenset())


def test_a_file_without_our_header_is_not_ours() -> None:
    assert (
        ApacheSyntax().parse("<RequireAny>\n    Require ip 81.2.69.1/32\n</RequireAny>\n") is None
    )


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ({}, ("apache2ctl",)),
        ({"unit": "httpd.service"}, ("httpd",)),
        ({"unit": "httpd"}, ("httpd",)),
        ({"unit": "apache2@second.service"}, ("apache2ctl",)),
        ({"container": "web"}, ("httpd",)),
        ({"container": "web", "program": "apache2ctl"}, ("apache2ctl",)),
        ({"config": Path("/srv/a.conf")}, ("apache2ctl", "-f", "/srv/a.conf")),
    ],
    ids=str,
)
def test_it_is_checked_and_told_by_its_own_program(
    written: dict[str, Any], command: tuple[str, ...]
) -> None:
    server = apache(ApacheOptions(path=Path(OURS), **written), Effect.ALLOW)
    assert server.check == (*command, "-t")
    assert server.notice == ReloadMethod((*command, "-k", "graceful"), signal.SIGUSR1)


def test_a_program_of_another_name_is_known_by_it() -> None:
    options = ApacheOptions(path=Path(OURS), program="/opt/apache/bin/httpd-with-a-long-name")
    assert options.names == ("apache2", "httpd", "httpd-with-a-lo")
    assert ApacheOptions(path=Path(OURS)).names == ("apache2", "httpd")


def test_a_program_by_a_relative_path_is_refused() -> None:
    with pytest.raises(ValueError, match="program must start with an absolute path"):
        ApacheOptions(path=Path(OURS), program="bin/httpd")


def test_a_service_writes_the_folder_and_speaks_to_others() -> None:
    by_unit = TYPE.needs(ApacheOptions(path=Path("/etc/friends.conf")))
    assert (by_unit.writes, by_unit.commands, by_unit.capabilities) == (("/etc",), True, ())
    by_pid = TYPE.needs(ApacheOptions(path=Path("/etc/friends.conf"), pid_file=Path("/run/a")))
    assert "CAP_SYS_PTRACE" in by_pid.capabilities


DUMPED = """\
Included configuration files:
  (*) /etc/apache2/apache2.conf
    (146) /etc/apache2/mods-enabled/authz host.load
    (222) /etc/apache2/sites-enabled/web.conf
    (7) /etc/apache2/allowsync/friends.conf
    (9) /etc/apache2/allowsync/friends.conf
Loaded Modules:
 core_module (static)
 authz_host_module (shared)
Syntax OK
"""


def test_files_and_modules_are_read_from_what_apache_dumps() -> None:
    assert dump(DUMPED) == Dump(
        (
            "/etc/apache2/apache2.conf",
            "/etc/apache2/mods-enabled/authz host.load",
            "/etc/apache2/sites-enabled/web.conf",
            OURS,
        ),
        frozenset({"core_module", "authz_host_module"}),
    )
    assert dump("") == Dump((), frozenset())


def beside(text: str) -> list[tuple[str, str]]:
    return [(one.place, one.text) for one in alternatives({"/web.conf": text, OURS: text}, OURS)]


@pytest.mark.parametrize(
    "text",
    [
        f"<Location />\n  Include {OURS}\n</Location>\n",
        f"<Location />\n<RequireAll>\n{ALL}\nInclude {OURS}\n</RequireAll>\n{END}",
        f"<Location />\nInclude {OURS}\n{END}\n<Location /open>\n{ALL}\n{END}",
        f"<Directory />\nRequire all granted\n<Files x>\nInclude {OURS}\n</Files>\n</Directory>",
        f"<Location />\nInclude {OURS}\n# Require all granted\n</Location>",
        "<Location />\nInclude /etc/apache2/other.conf\nRequire all granted\n</Location>",
        f"Include {OURS}\nRequire all granted\n",
        f"<If>\n<RequireAny>\nInclude {OURS}\nRequire valid-user\n</RequireAny>\n</If>",
        f"</Location>\n<Location />\nInclude {OURS}",
        "<\n>\n",
    ],
    ids=range(10),
)  # fmt: skip
def test_what_does_not_open_it_is_nothing_to_tell(text: str) -> None:
    assert beside(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            f'<Location "/">\n  Include "{OURS}"\n  Require all granted\n</Location>\n',
            [("/web.conf:3", "Require all granted")],
        ),
        (
            "<location />\nrequire valid-user\nINCLUDEOPTIONAL allowsync/*.conf\n</location>\n",
            [("/web.conf:2", "require valid-user")],
        ),
        (
            f"<If>\n<RequireAny>\nInclude {OURS}\n</RequireAny>\nRequire \\\n  local\n</If>",
            [("/web.conf:5", "Require   local")],
        ),
        (
            f"<If>\n<RequireAny>\nInclude {OURS}\nRequire all granted\n</RequireAny>\n</If>",
            [("/web.conf:4", "Require all granted")],
        ),
        (
            "\n".join(("<Location />", "<RequireAll>", f"Include {OURS}", "</RequireAll>",
                       "<RequireAll>", "Require local", "</RequireAll>", END)),
            [("/web.conf:5", "<RequireAll>")],
        ),
    ],
    ids=range(5),
)  # fmt: skip
def test_what_else_lets_somebody_in_is_named_with_its_place(
    text: str, found: list[tuple[str, str]]
) -> None:
    assert beside(text) == found


def test_a_section_that_keeps_out_who_is_listed_is_named() -> None:
    none = f"<Location />\n<RequireAll>\n<RequireNone>\nInclude {OURS}\n</RequireNone>\n"
    right = f"<RequireNone>\nRequire ip 10.0.0.1\n</RequireNone>\nInclude {OURS}\n"
    assert [one.place for one in excluding({"/web.conf": none}, OURS)] == ["/web.conf:3"]
    assert list(excluding({"/web.conf": right}, OURS)) == []


def test_an_include_that_may_be_missing_is_named() -> None:
    text = f"<Location />\n  IncludeOptional allowsync/*.conf\n  Include {OURS}\n</Location>\n"
    assert list(optional({"/web.conf": text}, OURS)) == ["/web.conf:2"]
    assert list(optional({"/web.conf": text}, "/etc/other.conf")) == []


@pytest.mark.parametrize(
    ("text", "trusting"),
    [
        ("RemoteIPHeader X-Forwarded-For\n", True),
        ("RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 10.0.0.1\n", False),
        ("remoteipheader CF-Connecting-IP\nremoteiptrustedproxylist cf.txt\n", False),
        ("# RemoteIPHeader X-Forwarded-For\n", False),
        ("RemoteIPInternalProxy 10.0.0.1\n", False),
        ("", False),
    ],
)
def test_a_header_that_anybody_may_send_is_noticed(text: str, *, trusting: bool) -> None:
    assert trusts_anybody({"/a.conf": text}) is trusting
