"""The options of a Traefik target, read as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from allowsync_backends.common.server.supervisor import Container, Process, Unit
from allowsync_backends.traefik import TYPE, MiddlewareKind, TraefikOptions
from allowsync_backends.traefik.syntax import TraefikSyntax

from allowsync.config.schema.context import INVALID, Reading
from allowsync.config.schema.nodes import from_plain
from allowsync.config.schema.object import Object

KIND = Object(TraefikOptions)
PATH = "/etc/traefik/dynamic/friends.yml"


def read(**written: Any) -> tuple[TraefikOptions | None, list[str]]:
    reading = Reading(Path("/etc/allowsync/config.yaml"), uid=0)
    found = KIND.parse(from_plain({"path": PATH, **written}), "traefik", reading)
    return None if found is INVALID else found, [one.what for one in reading.problems]


def test_a_path_is_enough() -> None:
    options, problems = read()
    assert (options, problems) == (TraefikOptions(path=Path(PATH)), [])
    assert options is not None
    assert options.known_running is None
    assert TraefikSyntax.of(options, "web") == TraefikSyntax("allowsync-web")


def test_everything_can_be_written_and_is_shown_as_it_was() -> None:
    written = {
        "path": PATH,
        "middleware": "friends",
        "kinds": ["tcp", "http"],
        "version": 3,
        "excluded_ips": ["127.0.0.1/32", "10.0.0.0/8"],
        "reject_status": 404,
        "api": "http://127.0.0.1:8080",
        "container": "traefik",
        "check": ["true"],
        "reload": ["docker", "kill", "--signal=HUP", "traefik"],
    }
    options, problems = read(**written)
    assert problems == []
    assert options is not None
    assert KIND.show_some(options, written) == written
    kinds, excluded = (MiddlewareKind.HTTP, MiddlewareKind.TCP), options.proxies
    expected = TraefikSyntax("friends", kinds, excluded=excluded, reject_status=404)
    assert TraefikSyntax.of(options, "web") == expected


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"path": "/etc/traefik/friends.conf"}, "must end in .yml or .yaml"),
        ({"path": "/etc/traefik/friends.toml"}, "must end in .yml or .yaml"),
        ({"kinds": []}, "at least 1"),
        ({"kinds": ["udp"]}, "http or tcp"),
        ({"middleware": "a b"}, "a name of letters"),
        ({"middleware": "friends@file"}, "a name of letters"),
        ({"middleware": "{{ .x }}"}, "a name of letters"),
        ({"version": 1}, "a number from 2 to 3"),
        ({"depth": 0}, "a number from 1"),
        ({"depth": 1, "excluded_ips": ["10.0.0.0/8"]}, "either depth or excluded_ips"),
        ({"depth": 1, "kinds": ["tcp"]}, "for http"),
        ({"excluded_ips": ["10.0.0.0/8"], "kinds": ["tcp"]}, "for http"),
        ({"reject_status": 404, "version": 2}, "version 3"),
        ({"reject_status": 404, "kinds": ["tcp"]}, "for http"),
        ({"reject_status": 200}, "a number from 400"),
        ({"api": "127.0.0.1:8080"}, "a URL"),
        ({"api": "http://user:secret@127.0.0.1"}, "a URL"),
        ({"api": "http://127.0.0.1:8080/?x"}, "a URL"),
        ({"unit": "a", "container": "b"}, "a server runs in one way"),
        ({"reload": ["./x"]}, "absolute path"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_a_problem(written: dict[str, Any], problem: str) -> None:
    options, (what,) = read(**written)
    assert options is None
    assert problem in what


@pytest.mark.parametrize("api", ["http://[::1]:8080", "https://traefik.lan/base/", "http://x"])
def test_an_api_may_be_anywhere(api: str) -> None:
    options, problems = read(api=api)
    assert problems == []
    assert options is not None
    assert options.api == api


def test_how_traefik_runs_is_known_where_it_is_said() -> None:
    def running(**how: Any) -> object:
        return TraefikOptions(path=Path(PATH), **how).known_running

    assert running(unit="traefik") == Unit("traefik")
    assert running(container="proxy") == Container("proxy")
    assert running(pid_file=Path("/run/t.pid")) == Process(Path("/run/t.pid"), ("traefik",))


@pytest.mark.parametrize(
    ("how", "capabilities", "commands"),
    [
        ({}, (), False),
        ({"api": "http://127.0.0.1:8080"}, (), False),
        ({"check": ("true",)}, (), True),
        ({"container": "traefik"}, (), True),
        ({"unit": "traefik.service"}, (), True),
        ({"pid_file": Path("/run/traefik.pid")}, ("CAP_SYS_PTRACE",), False),
    ],
    ids=str,
)
def test_a_service_is_allowed_what_it_takes_to_ask(
    how: dict[str, Any], capabilities: tuple[str, ...], commands: bool
) -> None:
    found = TYPE.needs(TraefikOptions(path=Path("/etc/friends.yml"), **how))
    assert (found.capabilities, found.commands) == (capabilities, commands)
    assert (found.writes, found.lasting) == (("/etc",), True)
