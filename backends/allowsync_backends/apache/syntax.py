"""The syntax of an allowlist for Apache, written and read. Pure.

`Require ip` is of mod_authz_host, the containers are of mod_authz_core. `<RequireAny>` counts as
one condition, whatever the section around it holds besides. `RemoteIPTrustedProxy` is of
mod_remoteip.
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
_PROXY: Final = "RemoteIPTrustedProxy "
# A container without any condition is an error (mod_authz_core).
_NOBODY: Final = "    Require all denied"
# Without any proxy, mod_remoteip trusts every client. Of all addresses this one is never a source
# (RFC 1122, 3.2.1.3), and without a width it is no entry of ours.
_NO_PROXY: Final = "255.255.255.255"


class ApacheSyntax:
    """A `<RequireAny>` with a line for each network, IPv4 first, sorted; empty, it denies all."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        lines = [_REQUIRE + _written(network) for network in sorted(networks, key=by_network)]
        body = lines or [_NOBODY]
        return "\n".join((f"# {header(allowlist)}", _OPENING, *body, _CLOSING, ""))

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its lines; lines without one are skipped."""
        return _held(text, _REQUIRE)


class RequireNoneSyntax:
    """A `<RequireNone>` with a line for each network, IPv4 first, sorted; empty, it denies none.

    It admits no client by itself, so it belongs into a `<RequireAll>`; Apache rejects any other
    place as an error (mod_authz_core), and so it never opens what another condition closes.
    """

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        lines = [_REQUIRE + _written(network) for network in sorted(networks, key=by_network)]
        body = lines or [_NOBODY]
        return "\n".join((f"# {header(allowlist)}", "<RequireNone>", *body, "</RequireNone>", ""))

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its lines; lines without one are skipped."""
        return _held(text, _REQUIRE)


class RemoteIpSyntax:
    """A `RemoteIPTrustedProxy` for each network, IPv4 first, sorted; empty, it names no source."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        lines = [_PROXY + _written(network) for network in sorted(networks, key=by_network)]
        return "\n".join((f"# {header(allowlist)}", *(lines or [_PROXY + _NO_PROXY]), ""))

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its lines; lines without one are skipped."""
        return _held(text, _PROXY)


def _held(text: str, directive: str) -> FileContent | None:
    allowlist = owner(text)
    if allowlist is None:
        return None
    found = (_read(line, directive.split()) for line in text.splitlines())
    return FileContent(allowlist, frozenset(network for network in found if network is not None))


def _written(network: Network) -> str:
    """Format a network for Apache, which accepts no width 0, but both halves."""
    if network.prefixlen == 0:
        return " ".join(map(str, network.subnets()))
    return str(network)


def _read(line: str, directive: list[str]) -> Network | None:
    words = line.split()
    if words[: len(directive)] != directive:
        return None
    match words[len(directive) :]:
        case [text]:
            return None if text == _NO_PROXY else network_or_none(text)
        case [text, _] as halves:
            half = network_or_none(text)
            whole = None if half is None or half.prefixlen != 1 else half.supernet()
            return whole if whole is not None and _written(whole).split() == halves else None
        case _:
            return None
