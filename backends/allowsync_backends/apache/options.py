"""Options of a file that Apache includes."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync_backends.common.server.options import ServerOptions
from allowsync_backends.common.server.processes import called
from allowsync_backends.file.options import refuse_relative

if TYPE_CHECKING:
    from pathlib import Path

# Debian's wrapper reads /etc/apache2/envvars, without which its configuration is not valid.
_DEBIANS: Final = "apache2ctl"
_EVERYBODYS: Final = "httpd"


class ApacheStyle(Enum):
    """The contents of the file."""

    REQUIRE = "require"
    REALIP = "realip"


class ApacheOptions(ServerOptions, kw_only=True):
    """A file that Apache includes."""

    UNIT: ClassVar[str] = "apache2.service"
    NAMES: ClassVar[tuple[str, ...]] = ("apache2", "httpd")

    style: ApacheStyle = option(
        lambda: kinds.Choice(ApacheStyle),
        help="`require`: `Require ip` for each network, to be included where only hosts may "
        "have access. `realip`: `RemoteIPTrustedProxy` for each, for an allowlist of the "
        "proxies that Apache trusts to report client addresses.",
        default=ApacheStyle.REQUIRE,
    )
    program: str | None = option(
        lambda: kinds.Text("a program"),
        help="Apache's program, which checks its configuration. Default: `apache2ctl`; `httpd` "
        "in a container or if the unit is `httpd.service`.",
        default=None,
    )
    config: Path | None = option(
        lambda: kinds.AbsolutePath("the path of a file"),
        help="Apache's main configuration, if it is not the program's default.",
        default=None,
    )

    def __post_init__(self) -> None:
        # Without arguments, super() does not work in a class with slots.
        ServerOptions.__post_init__(self)
        refuse_relative(program=() if self.program is None else (self.program,))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its processes: some distributions use others, such as `httpd2`."""
        return self.NAMES if self.program is None else (*self.NAMES, called(self.program))

    @property
    def command(self) -> tuple[str, ...]:
        """Apache's program, with the configuration it is to read."""
        elsewhere = self.container is not None or (self.unit or "").startswith(_EVERYBODYS)
        program = self.program or (_EVERYBODYS if elsewhere else _DEBIANS)
        return (program,) if self.config is None else (program, "-f", str(self.config))


class ApacheDenyOptions(ApacheOptions, kw_only=True):
    """A file of blocked networks that Apache includes."""

    style: ApacheStyle = option(
        lambda: kinds.Choice((ApacheStyle.REQUIRE,)),
        help="`require`: `Require ip` for each network in a `<RequireNone>`, to be included in "
        "a `<RequireAll>` with the directives that admit all others.",
        default=ApacheStyle.REQUIRE,
    )
