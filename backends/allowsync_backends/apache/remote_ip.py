"""The proxies that Apache trusts about client addresses (mod_remoteip). Pure."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from allowsync.model.target import TrustedProxies
from allowsync_backends.apache.configuration import directives
from allowsync_backends.common.server.listeners import is_open, listening_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from allowsync.model.types import Network

MODULE: Final = "remoteip_module"
ADVICE: Final = "mod_remoteip with RemoteIPHeader, and RemoteIPTrustedProxy for its networks"
_EVERYBODY: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_PROXIES: Final = ("remoteipinternalproxy", "remoteiptrustedproxy")


def believed(
    modules: frozenset[str], texts: Mapping[str, str], listed: Mapping[str, str]
) -> TrustedProxies | None:
    """Return the proxies trusted anywhere; None where they are unknown.

    Args:
        modules: The loaded modules.
        texts: The readable files of the configuration; empty where none is readable.
        listed: The readable files of `proxy_lists`.
    """
    said = _said(texts)
    ports = listening_ports(said.get("listen", ()))
    if "listen" in said and not ports:
        return None
    headers = said.get("remoteipheader", [])
    if MODULE not in modules or (texts and not headers):
        return TrustedProxies((), (), ports, ADVICE)
    networks = _networks(said, listed)
    return None if networks is None else TrustedProxies(networks, tuple(headers), ports, ADVICE)


def headers(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the headers that addresses are taken from."""
    return tuple(_said(texts).get("remoteipheader", ()))


def proxy_lists(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files that list trusted proxies, by their whole paths where these are known."""
    return _lists(_said(texts))


def open_protocols(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the places that switch the PROXY protocol on, if strangers may connect to some port."""
    every = [one for file, text in texts.items() for one in directives(file, text)]
    listens = [one.words[1] for one in every if one.name == "listen" and one.words[1:]]
    if not listens or any(map(is_open, listens)):
        for one in every:
            if one.name == "remoteipproxyprotocol" and one.words[-1].lower() == "on":
                yield one.place


def _lists(said: Mapping[str, list[str]]) -> tuple[str, ...]:
    root = PurePosixPath(*said.get("serverroot", ())[-1:])
    files = [one for name in _PROXIES for one in said.get(f"{name}list", ())]
    return tuple(str(root / one.strip('"')) for one in files)


def _said(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the words of all directives by name."""
    said: dict[str, list[str]] = {}
    for file, text in texts.items():
        for one in directives(file, text):
            said.setdefault(one.name, []).extend(one.words[1:])
    return said


def _networks(
    said: Mapping[str, list[str]], listed: Mapping[str, str]
) -> tuple[Network, ...] | None:
    """Return the proxies' networks; None where names, a file or the PROXY protocol supply them."""
    named = [one for name in _PROXIES for one in said.get(name, ())]
    lists = _lists(said)
    if not said or not listed.keys() >= set(lists) or "remoteipproxyprotocol" in said:
        return None
    for file in lists:
        named += [one for line in listed[file].splitlines() for one in line.split("#")[0].split()]
    try:
        return tuple(ip_network(one, strict=False) for one in named) or _EVERYBODY
    except ValueError:
        return None
