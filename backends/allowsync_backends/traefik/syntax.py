"""An allowlist as middlewares of Traefik. Pure.

The keys are those of Traefik's reference of the dynamic configuration: `ipAllowList` since 2.11 and
in 3, `ipWhiteList` in 2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.model.types import by_network
from allowsync.model.value import Value
from allowsync_backends.file.syntax import FileContent, header, network_or_none, owner
from allowsync_backends.traefik.options import MiddlewareKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.types import Network
    from allowsync_backends.traefik.options import TraefikOptions

# Traefik builds no middleware from an empty list. Of all addresses this one is never a source
# (RFC 1122, 3.2.1.3), and without a width it is no entry of ours.
NO_CLIENT: Final = "255.255.255.255"

_ITEM: Final = re.compile(r"\s*- \"?([0-9A-Fa-f.:/]+)\"?\s*")


class TraefikSyntax(Value):
    """One middleware for each kind of router, all of one name and with the same networks."""

    name: str
    kinds: tuple[MiddlewareKind, ...] = (MiddlewareKind.HTTP,)
    version: int = 3
    depth: int | None = None
    excluded: tuple[Network, ...] = ()
    reject_status: int | None = None

    @staticmethod
    def of(options: TraefikOptions, allowlist: str) -> TraefikSyntax:
        """Return the syntax of a target with these options."""
        return TraefikSyntax(
            options.middleware or f"allowsync-{allowlist}",
            tuple(kind for kind in MiddlewareKind if kind in options.kinds),
            options.version,
            options.depth,
            options.proxies,
            options.reject_status,
        )

    @property
    def key(self) -> str:
        """The name of this kind of middleware."""
        return "ipAllowList" if self.version >= 3 else "ipWhiteList"

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file. Text that YAML could read as a number, or as `null`, is quoted."""
        ranges = [str(one) for one in sorted(networks, key=by_network)] or [NO_CLIENT]
        lines = [f"# {header(allowlist)}"]
        for kind in self.kinds:
            lines += [
                f"{kind.value}:",
                "  middlewares:",
                f'    "{self.name}":',
                f"      {self.key}:",
            ]
            lines += ["        sourceRange:", *(f'          - "{one}"' for one in ranges)]
            if kind is MiddlewareKind.HTTP:
                lines += self._for_http()
        return "\n".join((*lines, ""))

    def _for_http(self) -> Iterator[str]:
        """Yield the matched address and the refusal. A list on one line holds no entries."""
        if self.depth is not None:
            yield from ("        ipStrategy:", f"          depth: {self.depth}")
        elif self.excluded:
            listed = ", ".join(f'"{one}"' for one in sorted(self.excluded, key=by_network))
            yield from ("        ipStrategy:", f"          excludedIPs: [{listed}]")
        if self.reject_status is not None:
            yield f"        rejectStatusCode: {self.reject_status}"

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its lists; lines without one are skipped."""
        allowlist = owner(text)
        if allowlist is None:
            return None
        items = (match[1] for line in text.splitlines() if (match := _ITEM.fullmatch(line)))
        found = (network_or_none(item) for item in items if item != NO_CLIENT)
        return FileContent(
            allowlist, frozenset(network for network in found if network is not None)
        )
