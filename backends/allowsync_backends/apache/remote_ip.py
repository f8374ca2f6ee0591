"""Which proxies Apache believes about the addresses of clients (mod_remoteip). Pure."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.target import TrustedProxies
from allowsync_backends.apache.configuration import directives
from allowsync_backends.common.server.listening import listening_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.model.types import Network

MODULE: Final = "remoteip_module"
ADVICE: Final = "mod_remoteip with RemoteIPHeader, and RemoteIPTrustedProxy for its networks"
_EVERYBODY: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_PROXIES: Final = ("remoteipinternalproxy", "remoteiptrustedproxy")


def believed(modules: frozenset[str], texts: Mapping[str, str]) -> TrustedProxies | None:
    """Which are believed anywhere; None where that cannot be told.

    Args:
        modules: The modules that are loaded.
        texts: The files of the configuration, as far as they can be read; empty where none can.
    """
    said: dict[str, list[str]] = {}
    for file, text in texts.items():
        for one in directives(file, text):
            said.setdefault(one.name, []).extend(one.words[1:])
    ports = tuple(port for one in said.get("listen", ()) if (port := listening_port(one)))
    if "listen" in said and not ports:
        return None
    headers = said.get("remoteipheader", [])
    if MODULE not in modules or (texts and not headers):
        return TrustedProxies((), (), ports, ADVICE)
    networks = _networks(said)
    return None if networks is None else TrustedProxies(networks, tuple(headers), ports, ADVICE)


def _networks(said: Mapping[str, list[str]]) -> tuple[Network, ...] | None:
    """The networks of the proxies; None where names, a file or the PROXY protocol tell them."""
    named = [one for name in _PROXIES for one in said.get(name, ())]
    lists = [name for name in said if name.removesuffix("list") in _PROXIES and name[-4:] == "list"]
    if not said or lists or "remoteipproxyprotocol" in said:
        return None
    try:
        return tuple(ip_network(one, strict=False) for one in named) or _EVERYBODY
    except ValueError:
        return None
