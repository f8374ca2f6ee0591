"""The syntax of an allowlist for Caddy, written and read. Pure.

A Caddyfile can import a snippet into many sites. Its directives take effect where Caddy sorts them
to, not where they are imported: `abort` and `respond` come before file servers and proxies, but
after `handle` and `route` (see `effect`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.target import Effect
from allowsync.model.types import by_network
from allowsync.model.value import Value
from allowsync_backends.caddy.options import DeniedResponse, Matcher
from allowsync_backends.file.syntax import FileContent, header, network_or_none, owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.types import Network

_PROXIES: Final = "trusted_proxies static"
_STRICT: Final = "trusted_proxies_strict"
_MATCHERS: Final = tuple(matcher.value for matcher in Matcher)


def snippet(allowlist: str) -> str:
    """Return the name that sites import."""
    return f"allowsync_{allowlist}"


class CaddySyntax(Value):
    """A snippet with a line for each network, IPv4 first, sorted; empty, it denies all, or none."""

    matcher: Matcher = Matcher.REMOTE_IP
    refusal: DeniedResponse = DeniedResponse.ABORT
    effect: Effect = Effect.ALLOW

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        name = snippet(allowlist)
        lines = [f"{self.matcher.value} {one}" for one in sorted(networks, key=by_network)]
        body = self._gate(f"@{name}", lines) if lines else self._empty()
        return "\n".join((f"# {header(allowlist)}", f"({name}) {{", *_indented(body), "}", ""))

    def _gate(self, name: str, lines: list[str]) -> Iterator[str]:
        yield f"{name} {{"
        if self.effect is Effect.DENY:
            yield from _indented(lines)
        else:
            yield "\tnot {"
            yield from _indented(_indented(lines))
            yield "\t}"
        yield "}"
        yield from self._refusing(name)

    def _empty(self) -> Iterator[str]:
        return self._refusing("*") if self.effect is Effect.ALLOW else iter(())

    def _refusing(self, matcher: str) -> Iterator[str]:
        if self.refusal is DeniedResponse.ABORT:
            yield f"abort {matcher}"
            return
        # A kept-alive connection would outlast the next change.
        yield f"respond {matcher} 403 {{"
        yield "\tclose"
        yield "}"

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its lines; lines without one are skipped."""
        allowlist = owner(text)
        if allowlist is None:
            return None
        found = map(_network, text.splitlines())
        return FileContent(
            allowlist, frozenset(network for network in found if network is not None)
        )


class ProxiesSyntax:
    """`trusted_proxies` with a line for each network, IPv4 first, sorted; empty, it names none.

    Strict, for otherwise the first address of X-Forwarded-For counts, which a client can spoof.
    """

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        words = (_PROXIES, *map(str, sorted(networks, key=by_network)))
        return "\n".join((f"# {header(allowlist)}", " \\\n\t".join(words), _STRICT, ""))

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its lines; lines without one are skipped."""
        allowlist = owner(text)
        if allowlist is None:
            return None
        found = (network_or_none(line.strip(" \t\\")) for line in text.splitlines())
        return FileContent(
            allowlist, frozenset(network for network in found if network is not None)
        )


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"\t{line}" for line in lines)


def _network(line: str) -> Network | None:
    match line.split():
        case [matcher, text] if matcher in _MATCHERS:
            return network_or_none(text)
        case _:
            return None
