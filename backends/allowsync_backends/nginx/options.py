"""Options of a file that nginx includes."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync_backends.common.server.options import ServerOptions
from allowsync_backends.file.options import refuse_relative

if TYPE_CHECKING:
    from pathlib import Path

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]{0,63}"


class Style(Enum):
    """The contents of the file."""

    ALLOW = "allow"
    GEO = "geo"
    REALIP = "realip"


class NginxOptions(ServerOptions, kw_only=True):
    """A file that nginx includes."""

    UNIT: ClassVar[str] = "nginx.service"
    NAMES: ClassVar[tuple[str, ...]] = ("nginx", "angie")

    style: Style = option(
        lambda: kinds.Choice(Style),
        help="`allow`: a line for each network and `deny all`, to be included in the `server` "
        "or `location` that only hosts may reach. `geo`: a variable that is 1 for hosts "
        "and 0 for all others, to be included in `http` or `stream`. `realip`: "
        "`set_real_ip_from` for each network, for an allowlist of the proxies that nginx "
        "trusts to report client addresses.",
        default=Style.ALLOW,
    )
    variable: str | None = option(
        lambda: kinds.Pattern(_NAME, "the name of a variable, without $"),
        help="The variable of `style: geo`. Default: `allowsync_` and the name of the allowlist.",
        default=None,
    )
    source: str | None = option(
        lambda: kinds.Pattern(rf"\${_NAME}", "a variable of nginx such as $realip_remote_addr"),
        help="The variable with the client address for `style: geo`. Default: `$remote_addr`.",
        default=None,
    )
    program: str = option(
        lambda: kinds.Text("a program"),
        help="nginx's program, which checks its configuration.",
        default="nginx",
    )
    config: Path | None = option(
        lambda: kinds.AbsolutePath("the path of a file"),
        help="nginx's main configuration, if it is not the program's default.",
        default=None,
    )

    def __post_init__(self) -> None:
        # Without arguments, super() does not work in a class with slots.
        ServerOptions.__post_init__(self)
        refuse_relative(program=(self.program,))
        if self.style is not Style.GEO and (self.variable or self.source):
            raise ValueError("variable and source are for style: geo")

    @property
    def command(self) -> tuple[str, ...]:
        """The program of nginx, with the configuration it is to read."""
        if self.config is None:
            return (self.program,)
        return (self.program, "-c", str(self.config))


class NginxDenyOptions(NginxOptions, kw_only=True):
    """A file with a variable that identifies blocked networks.

    There are no `deny` lines: rules of a block replace those around it, the gate of an allowlist
    among them (ngx_http_access_module), and each request has to pass all of them.
    """

    style: Style = option(
        lambda: kinds.Choice((Style.GEO,)),
        help="`geo`: a variable that is 1 for blocked networks and 0 for all others, to be "
        "included in `http` or `stream`.",
        default=Style.GEO,
    )
    variable: str | None = option(
        lambda: kinds.Pattern(_NAME, "the name of a variable, without $"),
        help="The variable. Default: `allowsync_` and the name of the denylist.",
        default=None,
    )
