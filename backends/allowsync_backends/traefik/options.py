"""Options of a Traefik target."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.value import replace
from allowsync_backends.common.server.options import ServerOptions
from allowsync_backends.file.options import CHECK_HELP, command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.model.types import Network
    from allowsync_backends.common.server.supervisor import Supervisor

# The names that Traefik's file provider reads; it ignores every other.
SUFFIXES: Final = (".yml", ".yaml")

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_URL: Final = (
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
)


class MiddlewareKind(Enum):
    """The kind of routers that a middleware is for: HTTP, or TCP."""

    HTTP = "http"
    TCP = "tcp"


class TraefikOptions(ServerOptions, kw_only=True):
    """A file in a folder that Traefik watches, and the settings of the middleware in it."""

    UNIT = "traefik.service"
    NAMES = ("traefik",)

    unit: str | None = option(
        lambda: kinds.Text("the name of a systemd unit"),
        help="The systemd unit of Traefik, if it has one. It is never reloaded; `check` reads "
        "its state, and so does a run if `api` does not answer.",
        default=None,
    )
    check: tuple[str, ...] = option(
        command,
        help=CHECK_HELP,
        default=(),
    )
    reload: tuple[str, ...] = option(
        command,
        help="A command to run after each change. Traefik needs none, as it watches its files.",
        default=(),
    )
    middleware: str | None = option(
        lambda: kinds.Pattern(_NAME, "a name of letters, digits, `-` and `_`"),
        help="The name of the middleware. Default: `allowsync-<allowlist>`; routers refer to it "
        "as `allowsync-<allowlist>@file`.",
        default=None,
    )
    kinds: tuple[MiddlewareKind, ...] = option(
        lambda: kinds.ListOf(kinds.Choice(MiddlewareKind), unique=True, least=1),
        help="`http`, `tcp`, or both: the kinds of routers it is for. Each kind gets a "
        "middleware of this name.",
        default=(MiddlewareKind.HTTP,),
    )
    version: int = option(
        lambda: kinds.Integer(2, 3),
        help="The major version of Traefik. For 2, the middleware is an `ipWhiteList`.",
        default=3,
    )
    depth: int | None = option(
        lambda: kinds.Integer(1, 100),
        help="Behind a proxy: the position of the client address in `X-Forwarded-For`, from the "
        "right; 1 is the address that the last proxy added. HTTP only. Add that proxy to "
        "Traefik's `forwardedHeaders.trustedIPs`.",
        default=None,
    )
    excluded_ips: tuple[Network | str, ...] = option(
        lambda: kinds.ListOf(kinds.ProxyOrSource(), unique=True),
        help="Instead of `depth`: the networks of your proxies. The client address is then the "
        "first in `X-Forwarded-For`, from the right, that is in none of them. A name such "
        "as `cloudflare` means all networks that this source publishes as its own, kept up "
        "to date. HTTP only.",
        default=(),
    )
    reject_status: int | None = option(
        lambda: kinds.Integer(400, 599),
        help="The HTTP status for all others, instead of 403. Version 3 only.",
        default=None,
    )
    api: str | None = option(
        lambda: kinds.Pattern(_URL, "a URL such as http://127.0.0.1:8080"),
        help="The URL of Traefik's API. With it, changes are confirmed: unless Traefik reports "
        "within 30 seconds that it uses the new file, the old one is restored.",
        default=None,
    )

    def __post_init__(self) -> None:
        # Not `super()`: a class with slots is made twice, and that would name the first one.
        ServerOptions.__post_init__(self)
        if self.path.suffix.lower() not in SUFFIXES:
            raise ValueError(
                f"path must end in .yml or .yaml, or Traefik passes it over: {self.path}"
            )
        if self.depth is not None and self.excluded_ips:
            raise ValueError("takes either depth or excluded_ips: Traefik ignores the latter then")
        if self.believes_headers and self.kinds == (MiddlewareKind.TCP,):
            raise ValueError("depth and excluded_ips are for http: TCP knows no X-Forwarded-For")
        if self.reject_status is not None and (
            self.version < 3 or self.kinds == (MiddlewareKind.TCP,)
        ):
            raise ValueError("reject_status is for http, and takes version 3 of Traefik")

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of networks that it names."""
        return tuple(one for one in self.excluded_ips if isinstance(one, str))

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks of proxies, as far as they are known."""
        return tuple(one for one in self.excluded_ips if not isinstance(one, str))

    def with_networks(self, published: Mapping[str, tuple[Network, ...]]) -> TraefikOptions:
        """Return the same with the networks of its sources."""
        listed = dict.fromkeys(self.proxies)
        for name in self.sources:
            listed |= dict.fromkeys(published[name])
        return replace(self, excluded_ips=tuple(listed))

    @property
    def believes_headers(self) -> bool:
        """Whether an HTTP request is judged by its headers."""
        return self.depth is not None or bool(self.excluded_ips)

    @property
    def known_running(self) -> Supervisor | None:
        """The way Traefik runs; None where it is not configured."""
        said = (self.unit, self.pid_file, self.container)
        return None if said == (None, None, None) else self.running
