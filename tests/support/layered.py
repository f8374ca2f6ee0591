"""The layers of one service, for real, each asked by itself whom it lets in."""

from __future__ import annotations

import pickle
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tests.support.internet import SERVER
from tests.support.requests import OK, RequestSender, ServedFlow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testkit.fake_cloudflare import FakeCloudflare
    from testkit.fake_jellyfin import FakeJellyfin
    from tests.support.fail2ban import Fail2ban
    from tests.support.netns import Namespace
    from tests.support.nginx import Nginx

HTTP = 80  # behind every layer
BARE = 81  # behind nginx alone
END: Final = b"<F2B_END_COMMAND>"  # of a question or answer, as Fail2ban speaks


class RealLayer(Protocol):
    """One of them."""

    @property
    def target(self) -> Mapping[str, object]:
        """What stands in the configuration."""
        ...

    def lets_in(self) -> frozenset[str]:
        """The IPv4 addresses it lets in just now."""
        ...


@dataclass(frozen=True)
class GateLayer:
    """The gate that nftables keeps, by the kernel's set."""

    server: Namespace

    @property
    def target(self) -> Mapping[str, object]:
        return {"nftables": {"ports": [f"{HTTP}/tcp"]}}

    def lets_in(self) -> frozenset[str]:
        listed = self.server.command("nft", "list", "set", "inet", "allowsync_web", "ipv4")
        return frozenset(re.findall(r"\d+\.\d+\.\d+\.\d+", listed))


@dataclass(frozen=True)
class Ufw:
    """UFW, by the kernel's chain."""

    server: Namespace

    @property
    def target(self) -> Mapping[str, object]:
        return {"ufw": {"ports": [f"{HTTP}/tcp"]}}

    def lets_in(self) -> frozenset[str]:
        listed = self.server.command("iptables", "-S", "ufw-user-input")
        return frozenset(re.findall(r"-s (\S+)/32 ", listed))


@dataclass(frozen=True)
class Proxy:
    """nginx, by what it answers to a friend who asks from several addresses."""

    nginx: Nginx
    friend: Namespace
    addresses: tuple[str, ...]

    @property
    def target(self) -> Mapping[str, object]:
        paths = {"pid_file": self.nginx.pid_file, "config": self.nginx.config}
        options = {name: str(path) for name, path in paths.items()}
        return {"nginx": {"path": str(self.nginx.path), **options}}

    def lets_in(self) -> frozenset[str]:
        return frozenset(
            one for one in self.addresses if asked(self.friend, one, BARE, patient=True) == OK
        )


@dataclass(frozen=True)
class JailLayer:
    """A jail of Fail2ban, by whom its server ignores."""

    fail2ban: Fail2ban

    @property
    def target(self) -> Mapping[str, object]:
        paths = {"config": self.fail2ban.config, "socket": self.fail2ban.socket}
        options = {name: str(path) for name, path in paths.items()}
        return {"fail2ban": {"jails": list(self.fail2ban.jails), **options}}

    def lets_in(self) -> frozenset[str]:
        """Asked over its socket: its client takes as long as hundreds of such questions."""
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(str(self.fail2ban.socket))
            door.sendall(pickle.dumps(["get", self.fail2ban.jails[0], "ignoreip"]) + END)
            answer = b""
            while END not in answer:
                piece = door.recv(65536)
                assert piece, "Fail2ban hung up"
                answer += piece
        return frozenset(map(bytes.decode, re.findall(rb"\d+\.\d+\.\d+\.\d+", answer)))


@dataclass(frozen=True)
class CloudLayer:
    """A list at Cloudflare, by what it holds."""

    fake: FakeCloudflare
    token: Path

    @property
    def target(self) -> Mapping[str, object]:
        options = {"account_id": self.fake.account, "api_url": self.fake.url, "list": "friends"}
        return {"cloudflare": {**options, "api_token_file": str(self.token)}}

    def lets_in(self) -> frozenset[str]:
        return frozenset(self.fake.items("friends"))


@dataclass(frozen=True)
class JellyfinLayer:
    """Jellyfin's own filter, by what it does with clients from several addresses."""

    fake: FakeJellyfin
    key: Path
    addresses: tuple[str, ...]

    @property
    def target(self) -> Mapping[str, object]:
        options = {"url": self.fake.url, "setting": "remote_filter"}
        return {"jellyfin": {**options, "api_key_file": str(self.key)}}

    def lets_in(self) -> frozenset[str]:
        return frozenset(filter(self.fake.lets_in, self.addresses))


@dataclass(frozen=True)
class DenyLayer:
    """A denylist that has some addresses in it, kept by nftables."""

    server: Namespace
    addresses: tuple[str, ...]

    @property
    def denylist(self) -> Mapping[str, object]:
        """What stands in the configuration."""
        target = {"nftables": {"ports": [f"{HTTP}/tcp"]}}
        return {"networks": list(self.addresses), "targets": [target]}

    def blocks(self) -> frozenset[str]:
        """The IPv4 addresses it blocks just now, by the kernel's set."""
        listed = self.server.command("nft", "list", "set", "inet", "allowsync_scanners", "ipv4")
        return frozenset(re.findall(r"\d+\.\d+\.\d+\.\d+", listed))


def asked(friend: Namespace, source: str, port: int, *, patient: bool) -> int:
    """The status of what the server answers; who is not patient does not expect an answer."""
    flow = ServedFlow("friend" if patient else "stranger", SERVER, source, port)
    return friend.run(RequestSender(flow).ask)
