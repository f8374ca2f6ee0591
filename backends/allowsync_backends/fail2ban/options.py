"""Options of jails of Fail2ban."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.value import Value
from allowsync_backends.common.server.supervisor import Container, Runtime

if TYPE_CHECKING:
    from collections.abc import Iterable

# Sections of a jail.conf that are no jails (jail.conf(5)).
_NO_JAILS: Final = frozenset({"DEFAULT", "INCLUDES"})


class Fail2banOptions(Value, kw_only=True):
    """Jails, and the place of their Fail2ban."""

    jails: tuple[str, ...] = option(
        lambda: kinds.ListOf(
            kinds.Pattern(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", "the name of a jail"),
            unique=True,
            least=1,
        ),
        help="The jails that must not ban hosts.",
    )
    config: Path = option(
        lambda: kinds.AbsolutePath("the path of a folder"),
        help="The folder of Fail2ban's configuration.",
        default=Path("/etc/fail2ban"),
    )
    path: Path | None = option(
        lambda: kinds.AbsolutePath("the path of a file"),
        help="The file with allowsync's networks. Default: `jail.d/allowsync-<allowlist>.local` "
        "in the folder of the configuration.",
        default=None,
    )
    socket: Path = option(
        lambda: kinds.AbsolutePath("the path of a socket"),
        help="Fail2ban's socket (`socket` in its `fail2ban.conf`).",
        default=Path("/run/fail2ban/fail2ban.sock"),
    )
    container: str | None = option(
        lambda: kinds.Pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", "the name of a container"),
        help="The container of Fail2ban. `config` and `socket` are then paths in the container, "
        "and `path` is one on this machine.",
        default=None,
    )
    runtime: Runtime = option(
        lambda: kinds.Choice(Runtime), help="The container runtime.", default=Runtime.DOCKER
    )

    def __post_init__(self) -> None:
        _are_jails(self.jails)

    @property
    def inside(self) -> Container | None:
        """The container Fail2ban runs in; None where it runs on this machine."""
        return None if self.container is None else Container(self.container, self.runtime)

    def file(self, allowlist: str) -> Path:
        """Return the file that is kept for an allowlist."""
        return self.path or self.config / "jail.d" / f"allowsync-{allowlist}.local"

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the file as the place of the entries."""
        return (Place("file", (str(self.file(allowlist)),)),)


def _are_jails(names: Iterable[str]) -> None:
    """Refuse sections that are no jails.

    Raises:
        ValueError: A name is that of another section.
    """
    for name in names:
        if name.upper() in _NO_JAILS:
            raise ValueError(f"jails: {name} is a section of Fail2ban, but no jail")
