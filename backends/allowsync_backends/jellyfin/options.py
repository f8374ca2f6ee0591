"""Options of a Jellyfin target."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import mark
from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.value import Value

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.secrets import KeptSecret, Secret

# Jellyfin makes keys of 32 hexadecimal digits; a later one may make others.
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

_REST: Final = r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
_HOST: Final = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
_URL: Final = rf"https?://{_HOST}{_REST}"


class JellyfinSetting(Enum):
    """A list among Jellyfin's network settings.

    The field of the server's document is its value in other letters: see `field`.
    """

    KNOWN_PROXIES = "known_proxies"
    LAN_NETWORKS = "lan_networks"
    REMOTE_FILTER = "remote_filter"

    @property
    def field(self) -> str:
        """The name of the field in Jellyfin's API."""
        return _FIELDS[self]


_FIELDS: Final = {
    JellyfinSetting.KNOWN_PROXIES: "KnownProxies",
    JellyfinSetting.LAN_NETWORKS: "LocalNetworkSubnets",
    JellyfinSetting.REMOTE_FILTER: "RemoteIPFilter",
}


def flaw(key: str) -> str:
    """Return why a text cannot be an API key, without quoting it; empty where it may be one."""
    if not key or _KEY.fullmatch(key):
        return ""
    return "it holds characters that no API key has: write the key alone"


class JellyfinOptions(Value):
    """One of a server's network settings."""

    url: str = option(
        lambda: kinds.Pattern(_URL, "a URL such as http://127.0.0.1:8096"),
        help="The URL of Jellyfin, with its base URL if it has one.",
    )
    setting: JellyfinSetting = option(
        lambda: kinds.Choice(JellyfinSetting),
        help="The list to maintain: `known_proxies`, whose `X-Forwarded-For` Jellyfin trusts; "
        "`lan_networks`, which count as local; or `remote_filter`, the other networks that "
        "may connect.",
    )
    api_key_file: KeptSecret | None = option(
        lambda: kinds.SecretFile(flaw),
        help="A file with an API key, created in the dashboard under *API Keys*.",
        default=None,
    )
    api_key_env: KeptSecret | None = option(
        lambda: kinds.SecretEnv(flaw),
        help="Instead: an environment variable with it.",
        default=None,
    )
    api_key_credential: KeptSecret | None = option(
        lambda: kinds.SecretCredential(flaw),
        help="Instead: a systemd credential with it.",
        default=None,
    )
    ca_file: Path | None = option(
        lambda: kinds.AbsolutePath("a file of certificates"),
        help="Certificates (PEM) to trust for `https://` instead of the system's: of a private "
        "CA, or a self-signed one.",
        default=None,
    )
    restart: bool = option(
        lambda: kinds.Boolean(),
        help="Whether to restart Jellyfin after a change of `known_proxies`, which it reads "
        "only at startup. A restart interrupts playback.",
        default=False,
    )
    plain_http: bool = option(
        lambda: kinds.Boolean(),
        help="Whether the key may be sent unencrypted to a host that is neither this machine "
        "nor a private address, such as a container's name.",
        default=False,
    )

    def __post_init__(self) -> None:
        given = sum(one is not None for one in self._keys)
        if given != 1:
            raise ValueError(
                "needs one of api_key_file, api_key_env and api_key_credential: "
                + ("none is given" if not given else f"{given} are given")
            )
        # Checked again for a configuration that was validated before, where no kind checks it.
        if wrong := flaw(self.key.value):
            raise ValueError(f"the API key: {wrong}")
        if self.restart and self.setting is not JellyfinSetting.KNOWN_PROXIES:
            raise ValueError("restart is for known_proxies: other settings take effect at once")
        if self.ca_file is not None and not self.url.startswith("https:"):
            raise ValueError(f"ca_file is for https://, and url is {self.url}")
        if not (self.plain_http or self.url.startswith("https:") or self._private):
            raise ValueError(
                f"{self.url} is neither this machine nor a private address, and would get the API "
                "key in the clear: use https://, or say plain_http: true"
            )

    @property
    def key(self) -> Secret:
        """The API key."""
        return next(one.secret for one in self._keys if one is not None)

    @property
    def base(self) -> str:
        """The URL, normalized."""
        return self.url.rstrip("/")

    @property
    def _keys(self) -> tuple[KeptSecret | None, ...]:
        return (self.api_key_file, self.api_key_env, self.api_key_credential)

    @property
    def _private(self) -> bool:
        from ipaddress import ip_address
        from urllib.parse import urlsplit

        host = urlsplit(self.url).hostname or ""
        if host == "localhost":
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or any(address in one for one in _private_networks())

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the setting, which others may use; and our marked entries in it."""
        name = (self.base, self.setting.value)
        return (
            Place("Jellyfin setting", name, shared=True),
            Place("entries of a Jellyfin setting", (*name, mark(allowlist))),
        )


def _private_networks() -> tuple[IPv4Network | IPv6Network, ...]:
    from ipaddress import ip_network

    blocks = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
    return tuple(map(ip_network, (*blocks, "100.64.0.0/10", "fc00::/7", "fe80::/10")))


if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network
