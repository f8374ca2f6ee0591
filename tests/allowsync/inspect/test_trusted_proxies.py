"""What `check` finds where a server behind a CDN does not know the addresses of clients."""

from __future__ import annotations

import os
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.config import load
from allowsync.inspect import trusted_proxies
from allowsync.inspect.trusted_proxies import about_trusted_proxies, known_edges
from allowsync.model.special_purpose import CLOUDFLARE
from allowsync.model.target import TrustedProxies
from allowsync.model.value import replace
from allowsync.policy.published import NetworkSource, SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.settings import Config

EDGE = tuple(map(ip_network, CLOUDFLARE))
HERE = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"))
EVERYBODY = (ip_network("0.0.0.0/0"), ip_network("::/0"))
HOSTS = (
    "hosts: {alice: alice.example.org, bob: bob.example.org, vpn: {networks: [10.8.0.0/24]}, "
    "edge: {networks: [cloudflare]}}\npolicy: {accept: [10.8.0.0/24]}\n"
)
LIST = "web: {hosts: [alice, bob], targets: [{nginx: {path: /etc/nginx/friends.conf}}]}"
GATE = "origin: {hosts: [edge], targets: [{nftables: {ports: [80/tcp, 443/tcp]}}]}"


class Believing:
    """A backend that tells which proxies its server believes, and nothing else."""

    capabilities = None

    def __init__(self, given: object) -> None:
        self.given = given

    def check(self) -> None: ...
    def read(self) -> None: ...
    def apply(self, plan: object) -> None: ...
    def clear(self) -> None: ...

    def trusted_proxies(self) -> object:
        if isinstance(self.given, BaseException):
            raise self.given
        return self.given


def configured(tmp_path: Path, allowlists: str, given: object, hosts: str = HOSTS) -> Config:
    """A configuration in which each server believes what is given."""
    path = tmp_path / "config.yaml"
    path.write_text(f"{hosts}allowlists: {{{allowlists}}}\nstate: {tmp_path / 'state.db'}\n")
    path.chmod(0o600)
    config = load(path, environ={}, uid=os.geteuid(), keep=False)

    def told(target: Any) -> Any:
        if target.backend.name != "nginx":
            return target
        return replace(target, backend=replace(target.backend, make=lambda *_: Believing(given)))

    lists = {
        name: replace(one, targets=tuple(map(told, one.targets)))
        for name, one in config.allowlists.items()
    }
    return replace(config, allowlists=lists)


def found(tmp_path: Path, allowlists: str, given: object, hosts: str = HOSTS) -> list[str]:
    return list(map(str, about_trusted_proxies(configured(tmp_path, allowlists, given, hosts))))


def believing(
    *networks: Any, headers: tuple[str, ...] = ("CF-Connecting-IP",), ports: tuple[int, ...] = (80,)
) -> TrustedProxies:
    return TrustedProxies(networks, headers, ports, "believe them")


def test_a_server_that_takes_a_cdn_for_its_clients_shuts_out_every_host(tmp_path: Path) -> None:
    (said,) = found(tmp_path, f"{LIST}, {GATE}", believing())
    assert said == (
        "web/nginx: takes the addresses of cloudflare for client addresses, and "
        "origin/nftables admits cloudflare, but not alice, bob, at 80/tcp: they cannot get in; "
        "believe them (cloudflare sets CF-Connecting-IP)"
    )


def test_a_server_that_believes_some_of_a_cdn_shuts_out_who_comes_by_the_rest(
    tmp_path: Path,
) -> None:
    (said,) = found(tmp_path, f"{LIST}, {GATE}", believing(*EDGE[2:]))
    assert f"does not trust 2 networks of cloudflare, {EDGE[0]} among them, and " in said


@pytest.mark.parametrize(
    ("lists", "given"),
    [
        pytest.param(f"{LIST}, {GATE}", believing(*EDGE), id="it believes the CDN"),
        pytest.param(f"{LIST}, {GATE}", believing(*EVERYBODY), id="it believes everybody"),
        pytest.param(f"{LIST}, {GATE}", None, id="nothing is known"),
        pytest.param(f"{LIST}, {GATE}", "odd", id="what is told is odd"),
        pytest.param(f"{LIST}, {GATE}", SystemExit(0), id="the backend breaks"),
        pytest.param(f"{LIST}, {GATE}", believing(ports=(8096,)), id="no gate is at its port"),
        pytest.param(LIST, believing(), id="there is no gate"),
        pytest.param(
            f"{LIST}, {GATE.replace('[edge]', '[alice, bob, edge]')}", believing(), id="both ways"
        ),
        pytest.param(
            f"{LIST}, {GATE.replace('[edge]', '[alice, bob]')}", believing(), id="no CDN at all"
        ),
        pytest.param(
            f"{LIST}, {GATE}, door: {{hosts: [alice, bob], "
            "targets: [{ufw: {ports: [80/tcp]}}]}",
            believing(),
            id="they come in by another gate",
        ),
        pytest.param(
            f"{LIST.replace('[alice, bob]', '[alice, edge]')}, {GATE}",
            believing(),
            id="the CDN is on the list by name",
        ),
        pytest.param(
            f"{LIST.replace('[alice, bob]', '[vpn]')}, {GATE}", believing(), id="a VPN is near"
        ),
        pytest.param(
            f"{LIST}, {GATE.replace('80/tcp, 443/tcp', '80/udp')}",
            believing(),
            id="another protocol",
        ),
    ],
)
def test_what_is_right_or_not_known_is_not_reported(
    tmp_path: Path, lists: str, given: object
) -> None:
    assert found(tmp_path, lists, given) == []


def test_of_hosts_that_a_gate_admits_besides_the_rest_is_shut_out(tmp_path: Path) -> None:
    gate = GATE.replace("[edge]", "[alice, edge]")
    (said,) = found(tmp_path, f"{LIST}, {gate}", believing())
    assert "admits cloudflare, but not bob, at 80/tcp" in said


DOOR = "door: {hosts: [alice], targets: [{nftables: {ports: [80/tcp, 443/tcp]}}]}"


def test_hosts_of_a_server_that_a_gate_drops_are_named(tmp_path: Path) -> None:
    (said,) = found(tmp_path, f"{LIST}, {DOOR}", believing(ports=(80, 443)))
    assert said == (
        "web/nginx: lets in bob, but door/nftables in front of it does not, at 80/tcp, 443/tcp: "
        "they cannot get in; let both have the same hosts, or take the gate away"
    )


@pytest.mark.parametrize(
    ("door", "given"),
    [
        pytest.param(DOOR.replace("[alice]", "[alice, bob]"), believing(), id="the same hosts"),
        pytest.param(DOOR.replace("80/tcp, ", ""), believing(ports=(80, 443)), id="another port"),
        pytest.param(DOOR.replace("/tcp", "/udp"), believing(), id="another protocol"),
        pytest.param(DOOR, believing(HERE[1]), id="through a proxy"),
        pytest.param(DOOR, believing(ports=()), id="ports that are not known"),
        pytest.param(DOOR.replace("nftables", "ufw"), believing(), id="rules that add up"),
        pytest.param(
            DOOR.replace("443/tcp]", "443/tcp], open_interfaces: [lo, wg0]"),
            believing(),
            id="by a VPN",
        ),
    ],
)
def test_hosts_that_may_pass_a_gate_are_not_reported(
    tmp_path: Path, door: str, given: TrustedProxies
) -> None:
    assert found(tmp_path, f"{LIST}, {door}", given) == []


def test_at_ports_that_are_not_known_every_gate_counts(tmp_path: Path) -> None:
    (said,) = found(tmp_path, f"{LIST}, {GATE}", believing(ports=()))
    assert "at 80/tcp, 443/tcp" in said


def test_networks_of_a_cdn_that_are_written_out_are_as_good_as_its_name(tmp_path: Path) -> None:
    written = HOSTS.replace("[cloudflare]", "[104.16.0.0/16]")
    assert len(found(tmp_path, f"{LIST}, {GATE}", believing(), written)) == 1


@pytest.mark.parametrize(
    ("headers", "odd"),
    [
        (("X-Real-IP",), "X-Real-IP"),
        (("True-Client-IP",), "True-Client-IP"),
        (("X-Real-IP", "CF-Connecting-IP"), "X-Real-IP"),
    ],
)
@pytest.mark.parametrize("networks", [EDGE, (*HERE, *EDGE[:1]), EVERYBODY])
def test_a_header_that_a_cdn_passes_on_as_it_came_can_be_forged(
    tmp_path: Path, headers: tuple[str, ...], odd: str, networks: Any
) -> None:
    (said,) = found(tmp_path, LIST, believing(*networks, headers=headers))
    assert said == (
        f"web/nginx: believes {odd} of the networks of cloudflare, which passes on what a client "
        "writes there: a stranger who comes through it gets in with the address of a host; take "
        "the address from CF-Connecting-IP, which cloudflare sets itself"
    )


@pytest.mark.parametrize(
    ("headers", "networks"),
    [
        (("cf-connecting-ip",), EDGE),
        (("X-Forwarded-For",), EDGE),
        (("X-Real-IP",), HERE),
        (("X-Real-IP",), ()),
        ((), EDGE),
    ],
)
def test_a_header_that_the_proxy_sets_is_right(
    tmp_path: Path, headers: tuple[str, ...], networks: Any
) -> None:
    assert found(tmp_path, LIST, believing(*networks, headers=headers)) == []


def test_of_every_source_that_is_installed_what_is_known_counts(tmp_path: Path) -> None:
    edges = known_edges(configured(tmp_path, LIST, None))
    assert edges["cloudflare"].networks == EDGE
    assert edges["cloudflare"].headers == ("CF-Connecting-IP", "X-Forwarded-For")


def test_of_a_source_that_cannot_be_loaded_no_header_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path, f"{LIST}, {GATE}", believing(*EDGE, headers=("X-Real-IP",)))
    monkeypatch.setattr(trusted_proxies, "names", lambda _: ("cloudflare", "gone"))
    monkeypatch.setattr(trusted_proxies, "load", broken)
    edges = known_edges(config)
    assert (edges["cloudflare"].networks, edges["cloudflare"].headers) == (EDGE, ())
    assert (edges["gone"].networks, edges["gone"].headers) == ((), ())
    assert list(about_trusted_proxies(config)) == []


def broken(name: str) -> None:
    raise SourceError(f"{name} cannot be loaded")


@pytest.mark.parametrize("headers", [None, "X-Forwarded-For", (b"X",), ("X", 1), 7, ("",)])
def test_odd_headers_of_a_source_count_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: Any
) -> None:
    odd = NetworkSource("cloudflare", "odd", "https://example.org", lambda _: (), headers)
    monkeypatch.setattr(trusted_proxies, "load", lambda _: odd)
    assert found(tmp_path, LIST, believing(*EDGE, headers=("X-Real-IP",))) == []
