"""Who is let in by network settings: the rules of each version, as far as they differ.

Read from Jellyfin's NetworkManager and its set-up of forwarded headers, 10.8.13 to 12.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network

    from testkit.fake_jellyfin.network_settings import Settings

    Network = IPv4Network | IPv6Network
    Address = IPv4Address | IPv6Address

_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
_PRIVATE: Final = {
    4: ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    6: ("::1/128", "fe80::/10", "fc00::/7"),
}


@dataclass
class AccessRules:
    """What a running server goes by: settings, some of them from when it started."""

    version: tuple[int, ...]
    lan: list[Network] = field(default_factory=list)
    excluded: list[Network] = field(default_factory=list)
    remote: list[Network] = field(default_factory=list)
    proxies: list[Network] | None = None  # None: everyone is believed
    forwarding: bool = False

    def start(self, settings: Settings) -> None:
        """Begin anew, with known proxies as they are now."""
        self.remote = []
        self.update(settings)
        listed = settings["KnownProxies"] or []
        self.forwarding = bool(listed) or self.version < (10, 10, 7)
        if listed:
            loopback = list(map(ip_network, _LOOPBACK))
            self.proxies = loopback + [
                one for text in listed for one in self._proxy(text, settings)
            ]
        else:
            self.proxies = None

    def update(self, settings: Settings) -> None:
        """Take what takes effect at once."""
        old = self.version < (10, 9)
        families = self._families(settings)
        listed = settings["LocalNetworkSubnets"] or []
        self.lan = self._parsed([one for one in listed if not one.startswith("!")])
        self.excluded = self._parsed([one[1:] for one in listed if one.startswith("!")])
        if not self.lan:
            self.lan = [ip_network(one) for of in families for one in _PRIVATE[of]]
        texts = settings["RemoteIPFilter"] or []
        if old:
            self.remote = [one for one in self._parsed(texts) if one.version in families]
        elif texts and texts[0].strip():
            # An emptied filter stays in force until the next start.
            self.remote = self._parsed(texts)

    def lets_in(self, client: Address, settings: Settings) -> bool:
        """Whether a client is let in."""
        if self.local(client):
            return True
        if not settings["EnableRemoteAccess"]:
            return False
        if not self.remote:
            return True
        named = any(client in one for one in self.remote)
        return named is not settings["IsRemoteIPFilterBlacklist"]

    def local(self, client: Address) -> bool:
        """Whether a client counts as one of the LAN."""
        inside = any(client in one for one in self.lan)
        return client.is_loopback or (inside and not any(client in one for one in self.excluded))

    def believed(self, peer: Address) -> bool:
        """Whether a peer is believed about whom it speaks for."""
        if not self.forwarding:
            return False
        return self.proxies is None or any(_seen(peer, one) for one in self.proxies)

    def _proxy(self, text: str, settings: Settings) -> Iterable[Network]:
        """What one entry of the known proxies becomes."""
        for one in self._parsed([text]):
            if one.version not in self._families(settings):
                continue
            if one.version == 6 and one.prefixlen == 32 and self.version < (12,):
                yield ip_network(f"{one.network_address}/128")  # taken for one address
            elif self.version < (10, 9) and one.version == 4 and settings["EnableIPV6"]:
                # Mapped into IPv6, and the width left as it was.
                width = 128 if one.prefixlen == 32 else one.prefixlen
                yield ip_network(f"::ffff:{one.network_address}/{width}", strict=False)
            else:
                yield one

    def _families(self, settings: Settings) -> tuple[int, ...]:
        names = (
            ("EnableIPV4", "EnableIPV6") if self.version < (10, 9) else ("EnableIPv4", "EnableIPv6")
        )
        return tuple(of for of, name in zip((4, 6), names, strict=True) if settings[name])

    def _parsed(self, texts: Iterable[str]) -> list[Network]:
        found = []
        for text in texts:
            try:
                found.append(ip_network(text.strip(), strict=False))
            except ValueError:
                continue
        return found


def _seen(peer: Address, network: Network) -> bool:
    """Whether a peer is of a network, also where a socket for both families shows it as IPv6."""
    if peer.version == 4 and isinstance(network, IPv6Network):
        return ip_address(f"::ffff:{peer}") in network
    return peer in network
