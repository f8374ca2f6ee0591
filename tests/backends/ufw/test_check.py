"""What `check` finds, and that it says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.ports import Port, Protocol

from allowsync.model.target import Severity
from allowsync.model.types import Entry
from tests.support.gates import allow
from tests.support.met_packets import guard, seen, with_uplink
from tests.support.ufw import DEFAULTS, backend, text, write
from tests.support.values import net

if TYPE_CHECKING:
    from allowsync.model.target import Finding
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

HOME, HOME6 = "81.2.69.142/32", "2a02:8109:9a40::/64"
PORTS = (Port(443, 443, Protocol.TCP),)

# What somebody did beforehand, how bad it is, and a piece of what is said.
FOUND = {
    "ufw disable": (Severity.ERROR, "ufw is not active"),
    "iptables -F": (Severity.ERROR, "packets do not come to ufw's rules"),
    "ufw allow proto tcp from 6.6.6.6 to any port 443": (
        Severity.INFO,
        "1 rule for the same ports made by others, and left alone (6.6.6.6/32)",
    ),
    "iptables -I ufw-user-input -p tcp --dport 22 -j ACCEPT": (
        Severity.WARNING,
        "the kernel does not hold what /etc/ufw/user.rules says of other people's rules",
    ),
    "sed -i 's/^### tuple ### allow tcp 443/### tuple ### allw tcp 443/' /etc/ufw/user.rules": (
        Severity.WARNING,
        "1 rule in /etc/ufw/user.rules cannot be read",
    ),
    "iptables -F ufw-user-input": (Severity.WARNING, "but not in the kernel"),
    "truncate -s 700 /etc/ufw/user.rules": (Severity.ERROR, "user.rules is damaged"),
}
# What packets show, and no longer a reading of the rules.
OPEN = "443/tcp is open to everyone over IPv4"
SEEN = {
    "iptables -F": "is locked out of 443/tcp over IPv4",
    "ufw default allow incoming": OPEN,
    "ufw allow 443": OPEN,
    "ufw allow 443/tcp": OPEN,
    "ufw limit 400:500/tcp": OPEN,
    "ufw allow 'WWW Full'": OPEN,
    "ufw allow in on eth0 proto tcp to any port 80,443": OPEN,
    "ufw allow in on eth0": OPEN,
    "ufw insert 1 deny from 81.2.0.0/16": "(81.2.69.142) is locked out of 443/tcp over IPv4",
    "iptables -t nat -A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 22; "
    "ufw allow 22": OPEN,
}
HARMLESS = (
    "ufw deny from 6.6.6.6",
    "ufw allow 80",
    "ufw allow 443/udp",
    "ufw route allow 443/tcp",
    "ufw allow out 443/tcp",
    "ufw deny 443/tcp",
    "ufw allow log 22/tcp",
    "ufw logging full",
)


def findings(inside: Namespace) -> list[Finding]:
    """All but those about tools that end streams."""
    found = inside.run(backend(ports=PORTS).check)
    return [one for one in found if "is not installed" not in one.what]


@pytest.mark.parametrize(("deed", "said"), FOUND.items(), ids=lambda value: str(value)[:60])
def test_what_makes_an_allowlist_pointless_is_found_with_what_to_do(
    inside: Namespace, deed: str, said: tuple[Severity, str]
) -> None:
    allow(inside, backend(ports=PORTS), HOME, HOME6)
    assert findings(inside) == []
    inside.command("sh", "-ec", deed)
    matching = [one for one in findings(inside) if said[1] in one.what]
    assert [one.severity for one in matching][:1] == [said[0]]
    assert all(one.advice or "damaged" in one.what for one in matching)


@pytest.mark.parametrize(("deed", "said"), SEEN.items(), ids=lambda value: str(value)[:60])
def test_what_makes_an_allowlist_pointless_is_seen_by_packets(
    inside: Namespace, deed: str, said: str
) -> None:
    with_uplink(inside)
    allow(inside, backend(ports=PORTS), HOME, HOME6)
    inside.command("sh", "-ec", deed)
    found = seen(inside, guard(443), (Entry(net(HOME)), Entry(net(HOME6))))
    assert any(said in one.what and one.severity is Severity.ERROR for one in found)


def test_the_command_that_loads_the_file_again_does_so(inside: Namespace) -> None:
    allow(inside, backend(ports=PORTS), HOME, HOME6)
    inside.command(
        "iptables", "-I", "ufw-user-input", *["-p", "tcp", "--dport", "22", "-j", "ACCEPT"]
    )
    (finding,) = findings(inside)
    inside.command("sh", "-ec", finding.advice.split("'")[1])
    assert findings(inside) == []


def test_what_others_do_beside_is_nobodys_business(inside: Namespace) -> None:
    allow(inside, backend(ports=PORTS), HOME, HOME6)
    inside.command("sh", "-ec", "; ".join(HARMLESS))
    assert findings(inside) == []


def test_a_ufw_without_ipv6_is_found_and_holds_ipv4_only(inside: Namespace) -> None:
    write(inside, text(inside, DEFAULTS).replace("IPV6=yes", "IPV6=no"), DEFAULTS)
    inside.command("ufw", "reload")
    assert [one.what for one in findings(inside)] == [
        "ufw does without IPv6: friends cannot come by it (IPV6 in /etc/default/ufw)"
    ]
    capabilities = inside.run(lambda: backend().capabilities)
    assert [family.value for family in capabilities.families] == ["ipv4"]
    assert allow(inside, backend(ports=PORTS), HOME).flaws == ()
