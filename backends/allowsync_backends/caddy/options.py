"""Options of a snippet for Caddy."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import ClassVar, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync_backends.common.server.options import ServerOptions
from allowsync_backends.common.server.processes import called
from allowsync_backends.file.options import refuse_relative

CADDYFILE: Final = Path("/etc/caddy/Caddyfile")

# Addresses by Caddy's conventions: a network, a slash, and the rest.
_ADMIN: Final = r"(?:[A-Za-z0-9.]|\[[0-9a-fA-F:]+\])[A-Za-z0-9.:\-]*|unix/.{1,255}"


class Matcher(Enum):
    """The address that is matched."""

    REMOTE_IP = "remote_ip"
    CLIENT_IP = "client_ip"


class DeniedResponse(Enum):
    """The response to refused clients."""

    ABORT = "abort"
    FORBIDDEN = "forbidden"


class CaddyStyle(Enum):
    """The kind of file."""

    GATE = "gate"
    REALIP = "realip"


class CaddyOptions(ServerOptions, kw_only=True):
    """A file with a snippet that sites of a Caddyfile import."""

    UNIT: ClassVar[str] = "caddy.service"
    NAMES: ClassVar[tuple[str, ...]] = ("caddy",)

    style: CaddyStyle = option(
        lambda: kinds.Choice(CaddyStyle),
        help="`gate`: a snippet for sites that only hosts may reach. `realip`: "
        "`trusted_proxies`, to be imported into `servers` of the global options, for an "
        "allowlist of the proxies that Caddy trusts to report client addresses; needs "
        "Caddy 2.8.",
        default=CaddyStyle.GATE,
    )
    config: Path = option(
        lambda: kinds.AbsolutePath("the path of a Caddyfile"),
        help="The Caddyfile that Caddy uses.",
        default=CADDYFILE,
    )
    matcher: Matcher = option(
        lambda: kinds.Choice(Matcher),
        help="`remote_ip`: the address of the connection. `client_ip`: the address reported by "
        "a trusted proxy in front of Caddy (`trusted_proxies` in the Caddyfile); needs "
        "Caddy 2.7.",
        default=Matcher.REMOTE_IP,
    )
    refusal: DeniedResponse = option(
        lambda: kinds.Choice(DeniedResponse),
        help="The response to all others: `abort` closes the connection, `forbidden` answers "
        "with status 403.",
        default=DeniedResponse.ABORT,
    )
    admin: str | None = option(
        lambda: kinds.Pattern(_ADMIN, 'an address such as "localhost:2019"'),
        help="The address of Caddy's admin API, if it is not the one in the Caddyfile.",
        default=None,
    )
    program: str = option(lambda: kinds.Text("a program"), help="Caddy's program.", default="caddy")

    def __post_init__(self) -> None:
        # Without arguments, super() does not work in a class with slots.
        ServerOptions.__post_init__(self)
        refuse_relative(program=(self.program,))
        gate = (Matcher.REMOTE_IP, DeniedResponse.ABORT)
        if self.style is CaddyStyle.REALIP and (self.matcher, self.refusal) != gate:
            raise ValueError("matcher and refusal are for style: gate")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its processes: a Caddy with plugins often has another."""
        return (*self.NAMES, called(self.program))

    @property
    def caddyfile(self) -> tuple[str, ...]:
        """The arguments that name the configuration."""
        return ("--config", str(self.config), "--adapter", "caddyfile")


class CaddyDenyOptions(CaddyOptions, kw_only=True):
    """A file with a snippet that sites of a Caddyfile import against blocked networks."""

    style: CaddyStyle = option(
        lambda: kinds.Choice((CaddyStyle.GATE,)),
        help="`gate`: a snippet for sites that blocked networks may not reach.",
        default=CaddyStyle.GATE,
    )
    refusal: DeniedResponse = option(
        lambda: kinds.Choice(DeniedResponse),
        help="The response to blocked networks: `abort` closes the connection, `forbidden` "
        "answers with status 403.",
        default=DeniedResponse.ABORT,
    )
