"""The syntax of an allowlist for nginx. Pure.

Both forms match IPv4 in IPv6 (`::ffff:192.0.2.1`, as a socket for both families yields) as IPv4 by
themselves (ngx_http_access_module, ngx_http_geo_module, and their like for streams).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.model.types import by_network
from allowsync.model.value import Value
from allowsync_backends.file.syntax import FileContent, header, network_or_none, owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.types import Network

_ALLOW: Final = re.compile(r"allow (\S+);")
_PROXY: Final = re.compile(r"set_real_ip_from (\S+);")
_ONE: Final = re.compile(r" {4}(\S+) 1;")


class AllowSyntax:
    """An `allow` for each network, IPv4 first, sorted; then `deny all`.

    The first matching line decides, so the last one refuses all others, and an empty allowlist is
    that line alone.
    """

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        lines = (f"allow {network};" for network in sorted(networks, key=by_network))
        return "\n".join((f"# {header(allowlist)}", *lines, "deny all;", ""))

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its `allow` lines."""
        return _held(text, _ALLOW)


class RealIpSyntax:
    """A `set_real_ip_from` for each network, IPv4 first, sorted; of an empty allowlist, none.

    Without any, nginx trusts no proxy (ngx_http_realip_module).
    """

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        lines = (f"set_real_ip_from {network};" for network in sorted(networks, key=by_network))
        return "\n".join((f"# {header(allowlist)}", *lines, ""))

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its lines."""
        return _held(text, _PROXY)


class GeoSyntax(Value):
    """A whole `geo` block: 1 for each network, IPv4 first, sorted; 0 by default.

    Attributes:
        variable: The variable it defines, without `$`.
        source: The variable with the client's address, with `$`; empty for nginx's own choice.
    """

    variable: str
    source: str = ""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        names = f"{self.source} ${self.variable}".strip()
        lines = (f"    {network} 1;" for network in sorted(networks, key=by_network))
        return "\n".join(
            (f"# {header(allowlist)}", f"geo {names} {{", "    default 0;", *lines, "}", "")
        )

    def parse(self, text: str) -> FileContent | None:
        """Read the networks with the value 1."""
        return _held(text, _ONE)


def _held(text: str, line: re.Pattern[str]) -> FileContent | None:
    allowlist = owner(text)
    if allowlist is None:
        return None
    return FileContent(allowlist, frozenset(_networks(text, line)))


def _networks(text: str, line: re.Pattern[str]) -> Iterator[Network]:
    for match in filter(None, map(line.fullmatch, text.splitlines())):
        network = network_or_none(match[1])
        if network is not None:
            yield network
