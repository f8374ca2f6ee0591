"""What keeps a middleware from having an effect is found, by the API or by the files beside it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.traefik import check
from allowsync_backends.traefik.options import MiddlewareKind

from tests.backends.traefik.conftest import APP, NAME
from tests.support.traefik import entry_point

if TYPE_CHECKING:
    from pathlib import Path

    from tests.backends.traefik.conftest import Place
    from tests.support.traefik import Standin

BOTH = (MiddlewareKind.HTTP, MiddlewareKind.TCP)
TCP_APP = """
tcp:
  routers:
    app: {rule: "HostSNI(`*`)", service: app, middlewares: [allowsync-x@file]}
"""
CHAIN = """
http:
  routers:
    app: {rule: "PathPrefix(`/`)", service: app, middlewares: [outer]}
  middlewares:
    outer: {chain: {middlewares: [inner@file]}}
    inner: {chain: {middlewares: [allowsync-x, outer]}}
"""


def test_all_is_well(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    assert place.findings() == []
    assert place.findings(api=None) == []


def test_a_file_that_is_not_there_yet_is_one_finding(place: Place, standin: Standin) -> None:
    assert place.findings() == [f"warning: {place.path} does not exist"]


@pytest.mark.parametrize("api", [True, False])
def test_a_middleware_that_no_router_uses_has_no_effect(
    place: Place, standin: Standin, *, api: bool
) -> None:
    (place.folder / "app.yml").write_text(APP.replace(f"[{NAME}]", "[]") + TCP_APP)
    more = {} if api else {"api": None}
    place.put("81.2.69.1", kinds=BOTH)
    (what,) = place.findings(kinds=BOTH, **more)
    assert what == (
        f"error: no http router uses {NAME}@file: it has no effect"
        if api
        else f"info: no http router in the files of {place.folder} uses {NAME}; what labels of "
        "containers say cannot be seen from here"
    )
    (finding,) = place.target(kinds=BOTH, **more).check()
    assert f"traefik.http.routers.ROUTER.middlewares={NAME}@file" in finding.advice


@pytest.mark.parametrize("api", [True, False])
def test_a_router_may_use_it_through_chains(place: Place, standin: Standin, *, api: bool) -> None:
    (place.folder / "app.yml").write_text(CHAIN)
    place.put("81.2.69.1")
    assert place.findings(**({} if api else {"api": None})) == []


def test_a_router_that_uses_it_may_be_one_of_hundreds(place: Place, standin: Standin) -> None:
    (place.folder / "app.yml").write_text(APP.replace(f"[{NAME}]", "[zz]"))
    routers = "".join(f"    r{n}: {{rule: Host(`r{n}`), service: app}}\n" for n in range(300))
    chains = "".join(f"    c{n}: {{chain: {{middlewares: [x]}}}}\n" for n in range(300))
    chain = f"    zz: {{chain: {{middlewares: [{NAME}]}}}}\n"
    (place.folder / "aa.yml").write_text(
        f"http:\n  routers:\n{routers}  middlewares:\n{chains}{chain}"
    )
    place.put("81.2.69.1")
    assert place.findings() == []


def test_an_entry_point_may_have_it_for_all_of_its_routers(place: Place, standin: Standin) -> None:
    (place.folder / "app.yml").write_text(APP.replace(f"[{NAME}]", "[]"))
    place.put("81.2.69.1")
    standin.entry_points = [entry_point("web", f"{NAME}@file")]
    assert place.findings() == []


@pytest.mark.parametrize("api", [True, False])
def test_two_files_with_one_middleware_are_found(
    place: Place, standin: Standin, *, api: bool
) -> None:
    place.put("81.2.69.1")
    other = place.folder / "deeper" / "zz.toml"
    other.parent.mkdir()
    other.write_text(f'[http.middlewares.{NAME}.ipAllowList]\nsourceRange = ["0.0.0.0/0"]\n')
    assert place.findings(**({} if api else {"api": None})) == [
        f"error: {other} has a middleware {NAME}, too: Traefik uses only one of them"
    ]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.yml", b"http: [", "it is no YAML"),
        ("a.yaml", b"http: {\n  - x\n", "it is no YAML"),
        (".a.YML", b"a: b: c", "it is no YAML"),
        ("a.yml", b"[" * 101 + b"]" * 101, "it is nested more than 100 deep"),
        ("a.yml", b"[" * 500_000, "it is "),  # too deep for libyaml itself, from some release on
        ("a.yml", b"{a: " * 200_000, "it is "),
        ("a.toml", b"http = ", "it is no TOML"),
        ("a.toml", b"a = " + b"[" * 500_000, "it is no TOML"),
        ("a.toml", b"\xff\xfe", "it is no text"),
    ],
    ids=range(9),
)
def test_a_file_that_keeps_traefik_from_reading_any_is_found(
    place: Place, name: str, content: bytes, why: str
) -> None:
    (place.folder / "app.yml").write_text(APP)
    place.put("81.2.69.1")
    (place.folder / name).write_bytes(content)
    (found,) = place.findings()
    assert found.startswith(
        f"error: Traefik cannot read {place.folder / name}, and takes no change of any file: {why}"
    )


def test_a_link_to_nothing_keeps_traefik_from_reading_any(place: Place) -> None:
    (place.folder / "app.yml").write_text(APP)
    place.put("81.2.69.1")
    link = place.folder / "gone.yml"
    link.symlink_to("nowhere")
    (found,) = place.findings()
    assert found.endswith("takes no change of any file: it is a link to nothing")
    link.unlink()
    link.symlink_to(place.folder)
    assert place.findings() == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.yml.bak", "http: ["),
        ("a.yml", "http: {{ range .x }}"),
        ("a.yml", "http: 7\ntcp: [x]\n"),
        ("a.yml", "[]"),
        ("a.yml", ""),
        (
            "a.yml",
            "http: {middlewares: {x: 7, y: {chain: 7}}, routers: {r: 7, s: {middlewares: 7}}}",
        ),
        ("a.yml", "http: {middlewares: [a], routers: a}"),
    ],
    ids=range(7),
)
def test_what_cannot_be_told_of_a_file_is_not_told(place: Place, name: str, content: str) -> None:
    (place.folder / "app.yml").write_text(APP)
    place.put("81.2.69.1")
    (place.folder / name).write_text(content)
    assert place.findings() == []


def test_a_folder_that_traefik_does_not_watch_is_found(place: Place, standin: Standin) -> None:
    standin.deaf = True
    place.put("81.2.69.1", api=None)
    assert place.findings() == [f"error: Traefik does not know the http middleware {NAME}@file"]
    standin.wake()
    standin.deaf = True
    place.put("81.2.69.2", api=None)
    (found,) = place.findings()
    assert found.startswith("error: Traefik uses other settings in the http middleware")
    assert found.endswith(f"{NAME}@file than {place.path}")


def test_a_refused_middleware_is_found(place: Place, standin: Standin) -> None:
    place.put("81.2.69.1")
    standin.refuses = "no idea"
    assert place.findings() == [f"error: Traefik refuses the middleware {NAME}@file: no idea"]


def test_an_api_that_is_not_there_is_a_warning(place: Place, nowhere: str) -> None:
    place.put("81.2.69.1")
    assert place.findings(api=nowhere) == [
        f"warning: nothing listens at {nowhere}, the API of Traefik"
    ]


def test_something_else_where_the_api_should_be_is_an_error(place: Place) -> None:
    place.put("81.2.69.1")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{other.server_port}"
        (found,) = place.findings(api=url)
        thread.join()
    assert found == f"error: at {url} is no API of Traefik (HTTP status 501)"


def test_of_a_container_the_program_on_this_machine_tells_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.folder / "app.yml").write_text(APP)
    place.put("81.2.69.1")
    programs = {
        "docker": f"echo '{place.path}'",
        "traefik": "echo Version: 2.10.7",
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr("allowsync.system.process.PATH", str(tmp_path))
    assert place.findings(container="proxy") == [
        "warning: container proxy does not run",
        f"error: container proxy has {place.path} itself mounted, and goes on seeing the old one",
    ]


BELIEVED = {"depth": 1}
INSECURE = {"insecure": True}
TRUSTED = {"trustedIPs": ["10.0.0.0/8"]}
WIDE = {"trustedIPs": ["0.0.0.0/1", "128.0.0.0/1"]}


@pytest.mark.parametrize(
    ("options", "forwarded", "told"),
    [
        ({}, {}, ""),
        ({}, TRUSTED, "warning: entry point web is behind proxies (forwardedHeaders), but for"),
        ({}, INSECURE, "warning: entry point web is behind proxies (forwardedHeaders), but for"),
        (BELIEVED, {}, "error: no X-Forwarded-For is trusted at web: everyone is refused"),
        (BELIEVED, TRUSTED, ""),
        (
            BELIEVED,
            INSECURE,
            "error: entry point web believes X-Forwarded-For of anyone (forwardedHeaders.insecure)",
        ),
        (
            BELIEVED,
            WIDE,
            "error: entry point web believes X-Forwarded-For of anyone (forwardedHeaders.trusted",
        ),
    ],
    ids=str,
)
def test_whose_word_counts_for_an_address_is_looked_into(
    place: Place, standin: Standin, options: dict[str, Any], forwarded: dict[str, Any], told: str
) -> None:
    """Only where the guarded routers are."""
    (place.folder / "app.yml").write_text(
        APP.replace("service:", "entryPoints: [web], service:", 1)
    )
    standin.entry_points = [entry_point("web", **forwarded), entry_point("other", insecure=True)]
    place.put("81.2.69.1", **options)
    found = place.findings(**options)
    assert [one[: len(told)] for one in found] == ([told] if told else [])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"depth": 2}, "info: depth: 2 is right behind 2 proxies: a client that comes through few"),
        ({"depth": 1}, ""),
        ({"excluded_ips": ("128.0.0.0/1",)}, "error: excluded_ips has 128.0.0.0/1: a client from"),
        ({"excluded_ips": ("10.0.0.0/8",)}, ""),
    ],
    ids=str,
)
def test_addresses_that_clients_write_before_those_of_proxies_are_looked_for(
    place: Place, standin: Standin, options: dict[str, Any], told: str
) -> None:
    given = dict(options)
    if "excluded_ips" in given:
        given["excluded_ips"] = tuple(map(ip_network, given["excluded_ips"]))
    (place.folder / "app.yml").write_text(
        APP.replace("service:", "entryPoints: [web], service:", 1)
    )
    standin.entry_points = [entry_point("web", **TRUSTED)]
    place.put("81.2.69.1", **given)
    found = place.findings(**given)
    assert [one[: len(told)] for one in found] == ([told] if told else [])


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        ({"insecure": True}, "error: entry point web believes the PROXY protocol of anyone"),
        ({"trustedIPs": ["::/0"]}, "error: entry point web believes the PROXY protocol of anyone"),
        ({"trustedIPs": ["10.0.0.1"]}, ""),
    ],
)
@pytest.mark.parametrize("options", [{}, {"excluded_ips": ("10.0.0.1/32",)}], ids=str)
def test_whose_proxy_header_counts_is_looked_into(
    place: Place, standin: Standin, options: dict[str, Any], protocol: dict[str, Any], told: str
) -> None:
    given = {name: tuple(map(ip_network, value)) for name, value in options.items()}
    (place.folder / "app.yml").write_text(
        APP.replace("service:", "entryPoints: [web], service:", 1)
    )
    forwarded = TRUSTED if options else {}
    standin.entry_points = [{**entry_point("web", **forwarded), "proxyProtocol": protocol}]
    place.put("81.2.69.1", **given)
    found = place.findings(**given)
    assert [one[: len(told)] for one in found] == ([told] if told else [])


@pytest.mark.parametrize(
    ("version", "options", "told"),
    [
        ("3.0.0", {}, ""),
        ("v3.7.15", {}, ""),
        ("dev", {}, ""),
        ("2.10.7", {}, "error: Traefik is 2.10.7, and may not read what is written for 3"),
        ("2.11.0", {"version": 2}, ""),
        ("3.1.0", {"version": 2}, "warning: Traefik is 3.1.0, which calls what is written for"),
    ],
    ids=str,
)
def test_the_version_has_to_fit(
    place: Place, standin: Standin, version: str, options: dict[str, Any], told: str
) -> None:
    standin.version = version
    place.put("81.2.69.1", **options)
    found = place.findings(**options)
    assert [one[: len(told)] for one in found] == ([told] if told else [])


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ('[ "$*" = version ] && echo "Version:      2.10.7"', "error: Traefik is 2.10.7, and may"),
        ('[ "$*" = version ] && echo "Version:      3.7.15"', ""),
        ("exit 1", ""),
        ("", ""),
    ],
)
def test_without_an_api_the_program_is_asked(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, told: str
) -> None:
    (place.folder / "app.yml").write_text(APP)
    place.put("81.2.69.1")
    program = tmp_path / "traefik"
    program.write_text(f"#!/bin/sh\n{script}\n" if script else "#!/nonexistent\n")
    program.chmod(0o755)
    monkeypatch.setattr("allowsync.system.process.PATH", str(tmp_path))
    assert [one[: len(told)] for one in place.findings()] == ([told] if told else [])


def test_what_the_program_prints_of_its_version_is_understood() -> None:
    assert (
        check.version_in("Version:      3.7.15\nCodename:     langres\nGo version: go1\n")
        == "3.7.15"
    )
    assert check.version_in("") == ""
    assert check.version_in("Usage: traefik\n") == ""
