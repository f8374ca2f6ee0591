"""Detection of a machine's scheduler, its program path, and a number to tell it from others."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.config.secure_file import FileRequirements, MissingError, read_checked
from allowsync.schedule.dropin import CREDENTIALS, ENVIRONMENT
from allowsync.schedule.units import Scheduler
from allowsync.system.process import PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path("/")
NAME: Final = "allowsync"
# Folders that `ProtectHome=yes` hides from services (systemd.exec(5)).
HOMES: Final = tuple(map(Path, ("/home", "/root", "/run/user")))


class Unsuitable(Exception):
    """The machine has no scheduler, or no service can run the program at its path."""


def scheduler(root: Path) -> Scheduler:
    """The scheduler: systemd if it runs, cron if it is installed.

    Raises:
        Unsuitable: There is neither.
    """
    # sd_booted(3); in a root that is being built, systemd is only installed.
    signs = ("run/systemd/system",) if root == ROOT else ("usr/lib/systemd/systemd",)
    if any((root / one).exists() for one in signs):
        return Scheduler.SYSTEMD
    if (root / "etc/cron.d").is_dir():
        return Scheduler.CRON
    raise Unsuitable("neither systemd runs here nor is there /etc/cron.d; install the package cron")


def program(root: Path) -> str:
    """The absolute path of the program.

    Raises:
        Unsuitable: It is in a home, or is not installed in that root.
    """
    if root != ROOT:
        folders = (root / one.lstrip("/") for one in PATH.split(":"))
        there = next((one / NAME for one in folders if os.path.lexists(one / NAME)), None)
        if there is None:
            raise Unsuitable(f"there is no allowsync in {root}{PATH.replace(':', f', {root}')}")
        return f"/{there.relative_to(root)}"
    running = Path(sys.argv[0]).absolute()
    on_path = (Path(folder, NAME) for folder in PATH.split(":"))
    same = (one for one in on_path if one.exists() and one.samefile(running))
    chosen = next(same, running) if running.exists() else running
    for one in (chosen, chosen.resolve()):
        if any(one.is_relative_to(home) for home in HOMES):
            raise Unsuitable(
                f"{one} is in a home, where no service may look; "
                "install allowsync for the whole system, as with 'pipx install --global'"
            )
    return str(chosen)


def environment(given: Mapping[str, str], uid: int, root: Path = ROOT) -> dict[str, str]:
    """The environment of the service: credentials and variables from their files.

    Args:
        given: That of this process.
        uid: The user who reads.
        root: The root of the target system.

    Raises:
        RefusedError: The file of variables cannot be read, or others may read it.
    """
    found = dict(given)
    found.setdefault("CREDENTIALS_DIRECTORY", str(root / CREDENTIALS.lstrip("/")))
    try:
        text = read_checked(
            root / ENVIRONMENT.lstrip("/"), FileRequirements(uid, 64 * 1024, secret=True)
        )
    except MissingError:
        return found
    for line in text.decode(errors="replace").splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            found[name.strip()] = value.strip().strip("\"'")
    return found


def offset(root: Path) -> int:
    """A number that is stable on one machine and differs between machines (machine-id(5))."""
    try:
        text = (root / "etc/machine-id").read_text()
    except OSError:
        text = os.uname().nodename
    # The identifier itself is confidential; the digest does not reveal it.
    return int.from_bytes(sha256(b"allowsync schedule " + text.encode()).digest()[:4], "big")
