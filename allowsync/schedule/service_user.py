"""The user of scheduled runs, and the required files that this user cannot read."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError
from allowsync.config.secure_file import (
    LARGEST_FILE,
    FileRequirements,
    RefusedError,
    read_checked,
)
from allowsync.model.outcome import ExitCode, Notice
from allowsync.schedule.files import INSTALL, OURS, Disk
from allowsync.schedule.requirements import secrets_of
from allowsync.schedule.units import SERVICE, UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.config.settings import Config, Target

_USER: Final = "User="
_READABLE: Final = FileRequirements(uid=-1, largest=LARGEST_FILE)  # of any owner and mode


def broken_targets(config: Config, disk: Disk) -> Iterator[Notice]:
    """Targets that the next scheduled run cannot serve, as far as known here."""
    user = service_user(disk)
    for target in config.targets:
        if target.broken:
            yield Notice(target.name, target.broken, ExitCode.FAILED)
        else:
            files = (*_secret_files(target.options), *_files_read(target))
            why = _closed_to(user, files)
            yield from (Notice(target.name, one, ExitCode.FAILED) for one in why)


def closed_channels(config: Config, disk: Disk) -> Iterator[Notice]:
    """Channels usable here, but not by scheduled runs."""
    user = service_user(disk)
    for where, channel in config.channels:
        if not channel.kept.unreadable:
            why = _closed_to(user, _secret_files(channel))
            yield from (Notice(where, one, ExitCode.FAILED) for one in why)


def closed_hosts_file(config: Config, disk: Disk) -> Iterator[Notice]:
    """A file of hosts (`hosts_from`) usable here, but not by scheduled runs."""
    source, user = config.hosts_from, service_user(disk)
    if source is None or user is None or config.hosts_trouble:
        return
    if not _may_read(str(source.jsonlines), user):
        what = (
            f"scheduled runs cannot use it: their user {user.pw_name} cannot read "
            f"{source.jsonlines}; give its group access to file and folder (chgrp, chmod g+r)"
        )
        yield Notice("hosts_from.jsonlines", what, ExitCode.FAILED)


def unread_files(config: Config) -> Iterator[Notice]:
    """Files of targets that we cannot read ourselves. A check of the targets reports them, too."""
    for target in config.targets:
        for path in _files_read(target):
            try:
                read_checked(Path(path), _READABLE)
            except RefusedError as error:
                what = f"runs cannot serve it: {path}: {error}"
                yield Notice(target.name, what, ExitCode.FAILED)


def _secret_files(options: Any) -> list[str]:
    return [one.origin for name, one in secrets_of(options) if name.endswith("_file")]


def _files_read(target: Target) -> tuple[str, ...]:
    """The files that a target reads besides its secrets, if its backend reports them."""
    try:
        return target.needs.reads
    except BackendError:
        return ()


def _closed_to(user: pwd.struct_passwd | None, files: Iterable[str]) -> Iterator[str]:
    """Messages on the files that we can read and a user cannot."""
    for path in files if user is not None else ():
        if os.access(path, os.R_OK) and user is not None and not _may_read(path, user):
            yield (
                f"scheduled runs cannot serve it: their user {user.pw_name} cannot read "
                f"{path}; {INSTALL}"
            )


def service_user(disk: Disk) -> pwd.struct_passwd | None:
    """The user of our service; None without one, or if we cannot act as that user."""
    try:
        if disk.found(UNITS / SERVICE) not in OURS:
            return None
        name = ""
        for path in (UNITS / SERVICE, UNITS / f"{SERVICE}.d/needs.conf"):
            file = disk.at(path)
            lines = file.read_text(errors="replace").splitlines() if file.exists() else []
            name = next((one[len(_USER) :] for one in lines if one.startswith(_USER)), name)
        found = pwd.getpwnam(name) if name else None
    except (OSError, KeyError):
        return None  # without permission to look, the user is unknown
    return found if os.geteuid() in (0, -1 if found is None else found.pw_uid) else None


def _may_read(path: str, user: pwd.struct_passwd) -> bool:
    """Whether a user can open a file: a child process tries it as that user."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() != user.pw_uid:
                os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
