"""Whom a server in a container believes, where Docker's own proxy passes on its clients."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.common.server.reader import ServerProgram, ServerReader
from allowsync_backends.common.server.supervisor import Container, ReloadMethod
from allowsync_backends.common.server.userland_proxy import TEMPLATE, about_gateways, gateways

from allowsync.model.target import TrustedProxies

if TYPE_CHECKING:
    from pathlib import Path

EVERYWHERE = {"443/tcp": [{"HostIp": "", "HostPort": "443"}]}
BRIDGE = {"web": {"Gateway": "172.18.0.1", "IPAddress": "172.18.0.2", "GlobalIPv6Address": ""}}
WITH_IPV6 = {"web": {**BRIDGE["web"], "GlobalIPv6Address": "fd00::2"}}
BELIEVING = TrustedProxies((ip_network("172.16.0.0/12"),), ("X-Forwarded-For",))


def inspected(ports: Any, networks: Any) -> str:
    return json.dumps({"ports": ports, "networks": networks})


def bound(address: str) -> dict[str, Any]:
    return {"80/tcp": None, "443/tcp": [{"HostIp": address, "HostPort": "443"}]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (inspected(EVERYWHERE, BRIDGE), ["172.18.0.1"]),
        (inspected(bound("::"), BRIDGE), ["172.18.0.1"]),
        (inspected(EVERYWHERE, {**WITH_IPV6, "other": BRIDGE["web"]}), ["172.18.0.1"]),
        (inspected(bound("0.0.0.0"), BRIDGE), []),
        (inspected(bound("127.0.0.1"), BRIDGE), []),
        (inspected(EVERYWHERE, WITH_IPV6), []),
        (inspected({}, BRIDGE), []),
        (inspected(None, {"host": {"Gateway": "", "GlobalIPv6Address": ""}}), []),
        (inspected(EVERYWHERE, None), []),
        ("", []),
        ("7", []),
    ],
)
def test_clients_are_passed_on_where_the_network_of_the_container_has_no_ipv6(
    text: str, found: list[str]
) -> None:
    assert list(map(str, gateways(text))) == found


@pytest.mark.parametrize(
    "proxies",
    [None, TrustedProxies(), TrustedProxies((ip_network("172.18.0.2"),), ("X-Forwarded-For",))],
)
def test_a_gateway_that_is_not_believed_is_right(proxies: TrustedProxies | None) -> None:
    assert list(about_gateways(inspected(EVERYWHERE, BRIDGE), proxies)) == []


def test_a_container_is_inspected_for_its_gateways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a stand-in for Docker, which answers as Docker does to that template."""
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\ncase $5 in '{TEMPLATE}') cat {tmp_path}/inspected;; esac\n")
    docker.chmod(0o755)
    monkeypatch.setattr("allowsync.system.process.PATH", f"{tmp_path}:/usr/bin:/bin")
    program = ServerProgram(
        "heron", ("true",), ReloadMethod(), False, lambda _: (), proxies=lambda _: BELIEVING
    )
    reader = ServerReader(program, Container("web"), check=("true",))
    (tmp_path / "inspected").write_text(inspected(EVERYWHERE, BRIDGE))
    said = [one.what for one in reader.findings(tmp_path / "list")]
    assert any("X-Forwarded-For is believed of 172.18.0.1" in one for one in said)
    (tmp_path / "inspected").write_text(inspected(EVERYWHERE, WITH_IPV6))
    said = [one.what for one in reader.findings(tmp_path / "list")]
    assert not any("is believed of" in one for one in said)
