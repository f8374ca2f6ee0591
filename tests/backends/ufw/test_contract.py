"""The promises of every backend, kept by the real UFW."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.testing.contract import BackendContract
from tests.support.ufw import RULES, RULES6, backend, kernel, prepared, text
from tests.support.within import Within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.backend.protocols import Backend
    from allowsync.model.types import Network
    from tests.support.netns import Namespace

STRANGERS = (
    "limit 22/tcp",
    "allow from 90.0.0.77 to any port 443 proto tcp comment allowsync:y:alice",
    "allow from 90.0.0.77 to any port 443 proto udp",
    "allow from 2a02::77 to any port 443 proto tcp",
    "allow from 2a02::77 to any port 443 proto udp",
    "allow from 90.0.0.79 to any port 443 proto tcp",
    "deny log from 90.0.0.78",
    "route allow from 90.0.0.1 to any port 443 proto tcp comment allowsync:x:alice",
)
# Those of them that have each of the rules that ours would be, in both protocols.
AT_OUR_PORTS = ("90.0.0.77", "2a02::77")


def strangers(inside: Namespace) -> None:
    for line in STRANGERS:
        inside.command("ufw", *line.split())


def strangers_of_routes(inside: Namespace) -> None:
    for line in (*STRANGERS[:-1], STRANGERS[-1].removeprefix("route ")):
        inside.command("ufw", *line.split())


@pytest.mark.root
class TestUfw(BackendContract):
    inside: Namespace
    route = False

    @pytest.fixture(autouse=True)
    def target(self, inside: Namespace) -> None:
        self.inside = inside

    def make(self) -> Backend:
        return Within(self.inside, backend(route=self.route))

    def neighbour(self) -> Backend:
        return Within(self.inside, backend(route=self.route, allowlist="x2"))

    def fingerprint(self) -> object:
        inodes = [self.inside.run(path.stat).st_ctime_ns for path in (RULES, RULES6)]
        return inodes, text(self.inside), text(self.inside, RULES6), kernel(self.inside)

    def plant(self) -> Iterable[Network]:
        prepared(self.inside, strangers)
        return map(ip_network, AT_OUR_PORTS)

    def foreign(self) -> object:
        """Every line of the files and the kernel but those of ours, in order."""
        mine = b"allowsync:x:".hex()
        own = [block for block in self.blocks() if f"comment={mine}" in block]
        ours = [block for block in own if ("route:" in block) == self.route]
        return [block for block in self.blocks() if block not in ours], self.kernel_but_ours()

    def blocks(self) -> list[str]:
        return (text(self.inside) + text(self.inside, RULES6)).split("\n\n")

    def kernel_but_ours(self) -> list[str]:
        chain = "-user-forward" if self.route else "-user-input"
        some = {str(one) for one in self.some()}
        return [
            line
            for line in kernel(self.inside).splitlines()
            if not (chain in line and "-s " in line and line.split()[3] in some)
        ]

    def damage(self) -> bool:
        chain = "forward" if self.route else "input"
        self.inside.command("iptables", "-F", f"ufw-user-{chain}")
        return True


@pytest.mark.root
class TestRoutedUfw(TestUfw):
    route = True

    def plant(self) -> Iterable[Network]:
        prepared(self.inside, strangers_of_routes)
        return ()
