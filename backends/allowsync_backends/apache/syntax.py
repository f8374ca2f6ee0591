"""How an allowlist is written for Apache, and read from there again. Pure.

`Require ip` is of mod_authz_host, the containers are of mod_authz_core. What stands in
`<RequireAny>` is one condition, whatever the section around it says besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.types import by_network
from allowsync_backends.file.syntax import FileContent, header, network_or_none, owner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.types import Network

_OPENING: Final = "<RequireAny>"
_CLOSING: Final = "</RequireAny>"
_REQUIRE: Final = "    Require ip "
# Apache takes a container without any condition for an error (mod_authz_core).
_NOBODY: Final = "    Require all denied"


class ApacheSyntax:
    """A `<RequireAny>` with a line for each network, IPv4 first, sorted; empty, it denies all."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """The whole file."""
        lines = [_REQUIRE + _written(network) for network in sorted(networks, key=by_network)]
        body = lines or [_NOBODY]
        return "\n".join((f"# {header(allowlist)}", _OPENING, *body, _CLOSING, ""))

    def parse(self, text: str) -> FileContent | None:
        """The networks of its lines; lines that name none are passed over."""
        allowlist = owner(text)
        if allowlist is None:
            return None
        found = (_read(line) for line in text.splitlines())
        return FileContent(
            allowlist, frozenset(network for network in found if network is not None)
        )


def _written(network: Network) -> str:
    """A network as Apache takes it. The width 0 it does not take, but both halves."""
    if network.prefixlen == 0:
        return " ".join(map(str, network.subnets()))
    return str(network)


def _read(line: str) -> Network | None:
    words = line.split()
    match words:
        case ["Require", "ip", text]:
            return network_or_none(text)
        case ["Require", "ip", text, _]:
            half = network_or_none(text)
            whole = None if half is None or half.prefixlen != 1 else half.supernet()
            return whole if whole is not None and _written(whole).split() == words[2:] else None
        case _:
            return None
