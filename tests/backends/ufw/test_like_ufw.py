"""What we write is byte for byte what the real ufw would have written."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.ports import Port, Protocol

from allowsync.model.plan import Plan
from allowsync.model.types import Entry
from tests.support.netns import Namespace
from tests.support.ufw import RULES, RULES6, backend, kernel, text, with_ufw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.types import Network

pytestmark = pytest.mark.root

NETWORKS = tuple(
    ip_network(one)
    for one in (
        "81.2.69.142/32", "81.2.69.0/24", "81.2.0.0/16", "0.0.0.0/1", "128.0.0.0/1",
        "2a02:8109:9a40::/64", "2a02:8109:9a40::7/128", "2a02:8109:9a00::/40", "2000::/3",
        "2001:0:0:1::/64", "2a02:0:0:1:0:0:0:1/128", "::ffff:81.2.69.142/128", "fd00::/8",
    )
)  # fmt: skip
ONE = (Port(443, 443, Protocol.TCP),)
MORE = (Port(8000, 8010, Protocol.UDP), Port(1, 65535, Protocol.TCP), Port(53, 53, Protocol.UDP))
# Each is a target: many networks and one port, or few and several.
TARGETS = ((NETWORKS, ONE, "x"), (NETWORKS[4:6], MORE, "y"))
STRANGERS = ("limit 22/tcp", "allow from 9.9.9.9 comment 'Ünïcode'", "route deny from 6.6.6.6")


def said(network: Network, port: Port, allowlist: str, *, route: bool, delete: bool) -> str:
    """A rule as somebody gives it to ufw."""
    ports = str(port.first) if port.first == port.last else f"{port.first}:{port.last}"
    kind = f"{'route ' if route else ''}{'delete ' if delete else ''}allow"
    return (
        f"ufw {kind} proto {port.protocol.value} from {network} to any port {ports} "
        f"comment allowsync:{allowlist}:alice"
    )


def strangers(inside: Namespace) -> None:
    inside.command("sh", "-ec", "; ".join(f"ufw {line}" for line in STRANGERS))


@pytest.fixture
def both(as_root: None, warm: None) -> Iterator[tuple[Namespace, Namespace]]:
    """Two with the same strangers' rules."""
    with Namespace() as theirs, Namespace() as ours:
        for one in (theirs, ours):
            with_ufw(one, strangers)
        yield theirs, ours


@pytest.mark.parametrize("route", [False, True], ids=["input", "route"])
def test_files_and_kernel_are_as_if_ufw_had_added_and_deleted_each_rule(
    both: tuple[Namespace, Namespace], route: bool
) -> None:
    theirs, ours = both
    for delete in (False, True):
        for networks, ports, allowlist in TARGETS:
            # Of those that were added, every other one goes again.
            gone = networks[::2] if delete else ()
            asked = gone or networks
            theirs.command("sh", "-ec", "; ".join(
                said(network, port, allowlist, route=route, delete=delete)
                for network in asked for port in ports
            ))  # fmt: skip
            left = [Entry(network, ("alice",)) for network in networks if network not in gone]
            plan = Plan(allowlist, add=tuple(left))
            ours.run(backend(ports=ports, route=route, allowlist=allowlist).apply, plan)
        assert text(ours) == text(theirs)
        assert text(ours, RULES6) == text(theirs, RULES6)
        assert kernel(ours) == kernel(theirs)
        assert _owners(ours) == _owners(theirs)
        assert ours.command("ufw", "status") == theirs.command("ufw", "status")


def _owners(inside: Namespace) -> list[tuple[int, int, int]]:
    found = [inside.run(path.stat) for path in (RULES, RULES6)]
    return [(one.st_mode, one.st_uid, one.st_gid) for one in found]
