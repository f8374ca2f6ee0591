"""What is written for nginx, and what a configuration may say: text, options, needs."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.common.server.reader import ServerReader
from allowsync_backends.common.server.supervisor import Process, Unit
from allowsync_backends.file.backend import FileBackend
from allowsync_backends.nginx import TYPE, NginxOptions, Style
from allowsync_backends.nginx.syntax import AllowSyntax, GeoSyntax

from allowsync.backend.api import Needs
from allowsync.config.schema.context import INVALID, Reading
from allowsync.config.schema.nodes import from_plain
from allowsync.config.schema.object import Object
from allowsync.model.target import Place, Placement

if TYPE_CHECKING:
    from allowsync_backends.file.syntax import Syntax

NETWORKS = frozenset(map(ip_network, ("2a02::/64", "90.0.0.0/24", "81.2.69.1")))
ALLOWS = """\
# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.
allow 81.2.69.1/32;
allow 90.0.0.0/24;
allow 2a02::/64;
deny all;
"""
GEO = """\
# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.
geo $friends {
    default 0;
    81.2.69.1/32 1;
    90.0.0.0/24 1;
    2a02::/64 1;
}
"""


@pytest.mark.parametrize(("syntax", "text"), [(AllowSyntax(), ALLOWS), (GeoSyntax("friends"), GEO)])
def test_networks_are_written_sorted_and_read_back(syntax: Syntax, text: str) -> None:
    assert syntax.render("x", NETWORKS) == text
    held = syntax.parse(text)
    assert held is not None
    assert (held.allowlist, held.networks) == ("x", NETWORKS)


@pytest.mark.parametrize(
    ("syntax", "text"),
    [
        (AllowSyntax(), "deny all;\n"),
        (GeoSyntax("friends"), "geo $friends {\n    default 0;\n}\n"),
        (GeoSyntax("x", "$peer"), "geo $peer $x {\n    default 0;\n}\n"),
    ],
)
def test_an_empty_allowlist_denies_everybody(syntax: Syntax, text: str) -> None:
    written = syntax.render("x", ())
    assert written.partition("\n")[2] == text
    held = syntax.parse(written)
    assert held is not None
    assert held.networks == frozenset()


@pytest.mark.parametrize("syntax", [AllowSyntax(), GeoSyntax("friends")])
@pytest.mark.parametrize(
    "line",
    ["allow friend;", "allow 81.2.69.1/24;", "#allow 81.2.69.1/32;", "    81.2.69.1/32 0;", "}"],
)
def test_lines_that_are_no_network_of_ours_are_passed_over(syntax: Syntax, line: str) -> None:
    held = syntax.parse(syntax.render("x", NETWORKS) + line + "\n")
    assert held is not None
    assert held.networks == NETWORKS


@pytest.mark.parametrize("syntax", [AllowSyntax(), GeoSyntax("friends")])
def test_a_file_without_our_first_line_is_a_strangers(syntax: Syntax) -> None:
    text = syntax.render("x", NETWORKS)
    assert syntax.parse(text.partition("\n")[2]) is None
    assert syntax.parse("\n" + text) is None


def read(**written: Any) -> tuple[NginxOptions | None, list[str]]:
    reading = Reading(Path("/etc/allowsync/config.yaml"), uid=0)
    kind = Object(NginxOptions)
    found = kind.parse(from_plain({"path": "/etc/nginx/friends.conf", **written}), "x", reading)
    return None if found is INVALID else found, [one.what for one in reading.problems]


def test_a_path_is_enough() -> None:
    options, problems = read()
    assert problems == []
    assert options is not None
    assert (options.style, options.running) == (Style.ALLOW, Unit("nginx.service"))
    assert options.places("x") == (Place("file", ("/etc/nginx/friends.conf",)),)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"style": "map"}, "geo"),
        ({"variable": "friends"}, "for style: geo"),
        ({"source": "$realip_remote_addr"}, "for style: geo"),
        ({"style": "realip", "variable": "friends"}, "for style: geo"),
        ({"style": "geo", "variable": "$friends"}, "without $"),
        ({"style": "geo", "variable": "a b"}, "without $"),
        ({"style": "geo", "source": "$a$b"}, "a variable of nginx"),
        ({"style": "geo", "source": "$a { default 1; } geo $b"}, "a variable of nginx"),
        ({"program": "./nginx"}, "absolute path"),
        ({"unit": "nginx", "container": "web"}, "one way"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_a_problem(written: dict[str, Any], problem: str) -> None:
    options, (what,) = read(**written)
    assert options is None
    assert problem in what


def made(**written: Any) -> FileBackend:
    options, problems = read(**written)
    assert options is not None, problems
    backend = TYPE.make(Placement("tv", "tv/nginx"), options)
    assert isinstance(backend, FileBackend)
    return backend


def test_the_variable_is_named_after_the_allowlist_unless_said_otherwise() -> None:
    assert made(style="geo").syntax == GeoSyntax("allowsync_tv")
    named = made(style="geo", variable="friends", source="$proxy_protocol_addr")
    assert named.syntax == GeoSyntax("friends", "$proxy_protocol_addr")


def test_nginx_is_called_as_it_is_installed() -> None:
    program = "/opt/nginx/sbin/nginx"
    reader = made(program=program, config="/srv/nginx.conf", pid_file="/srv/pid").reader
    assert isinstance(reader, ServerReader)
    assert reader.running == Process(Path("/srv/pid"), ("nginx", "angie"))
    called = (program, "-c", "/srv/nginx.conf")
    assert reader.server.check == (*called, "-t", "-q")
    assert reader.server.notice.command == (*called, "-s", "reload")


def test_a_unit_takes_no_capabilities_and_a_pid_file_those_to_see_and_tell_processes() -> None:
    assert needs() == Needs(writes=("/etc/nginx",), commands=True, lasting=True)
    assert needs(pid_file="/run/nginx.pid").capabilities == ("CAP_KILL", "CAP_SYS_PTRACE")


def needs(**written: Any) -> Needs:
    options, problems = read(**written)
    assert problems == []
    assert options is not None
    return TYPE.needs(options)
