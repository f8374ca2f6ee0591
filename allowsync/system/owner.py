"""The user who may change the file at a path, and acting as that user. Imports next to nothing.

Root that opens a file in a place which another user controls can be misled by that user: through
a link, or through the files that a program keeps beside its own.
"""

import errno
import os
import stat

from allowsync.typed import Any

ROOT = 0
_MOST_LINKS = 40  # the kernel's limit (path_resolution(7))
_OVERFLOW = 65534  # the owner shown for users outside a user namespace (user_namespaces(7))


def owner_of(path: "str | os.PathLike[str]") -> int:
    """The user who controls a path: root if no other user can change any part of it.

    Raises:
        PermissionError: Several users do, by the permissions of a folder; the text names it.
        OSError: It cannot be found out.
    """
    here, rest, links = "/", _parts(os.path.abspath(path)), 0
    while True:
        found = os.lstat(here)
        if not _is_roots(found.st_uid):
            return found.st_uid
        if not rest:
            return ROOT
        if stat.S_ISDIR(found.st_mode) and _shared(found, last=len(rest) == 1):
            raise PermissionError(errno.EPERM, f"others may write in {here} (chmod go-w it)")
        name = rest.pop()
        below = os.path.join(here, name)
        try:
            found = os.lstat(below)
        except FileNotFoundError:
            return ROOT
        if not stat.S_ISLNK(found.st_mode) or not rest:
            here = below
            continue
        if not _is_roots(found.st_uid):
            return found.st_uid
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink(below)
        rest += _parts(target)
        if target.startswith("/"):
            here = "/"


class acting_as:  # noqa: N801 - reads as a statement
    """Act as a user for a while, with that user's permissions only. Takes root.

    The process keeps the right to be root again, which no other process of that user can use: it
    may neither trace nor signal a process whose other user ids are root's.

    Raises:
        PermissionError: This root may not become that user.
    """

    def __init__(self, user: int) -> None:
        self._user = user
        self._before: tuple[int, list[int]] | None = None

    def __enter__(self) -> None:
        if self._user == os.geteuid():
            return
        self._before = os.getegid(), os.getgroups()
        try:
            os.setgroups([])
            os.setegid(_group(self._user))
            os.seteuid(self._user)
        except OSError as error:
            self.__exit__()
            what = f"belongs to user {self._user}, whom root cannot act for here"
            raise PermissionError(errno.EPERM, what) from error

    def __exit__(self, *_: Any) -> None:
        if self._before is None:
            return
        group, groups = self._before
        self._before = None
        if os.geteuid() != ROOT:
            os.seteuid(ROOT)
        if os.getegid() != group:
            os.setegid(group)
        if os.getgroups() != groups:
            os.setgroups(groups)


def _parts(path: str) -> list[str]:
    """The names of a path, in reverse order."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _shared(folder: os.stat_result, *, last: bool) -> bool:
    """Whether others may replace entries in a folder of root's.

    The sticky bit keeps them from renaming root's files, not from adding files beside them.
    """
    others = folder.st_mode & stat.S_IWOTH
    group = folder.st_mode & stat.S_IWGRP and (last or folder.st_gid != ROOT)
    return bool(others or group) and (last or not folder.st_mode & stat.S_ISVTX)


def _is_roots(user: int) -> bool:
    """Whether it is root, or a user that no process can be in this user namespace."""
    return user == ROOT or (user == _OVERFLOW and not _mapped(user))


def _mapped(user: int) -> bool:
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            spans = [tuple(map(int, line.split())) for line in file]
    except (OSError, ValueError):
        return True
    return any(first <= user < first + count for first, _, count in spans)


def _group(user: int) -> int:
    from pwd import getpwuid

    try:
        return getpwuid(user).pw_gid
    except KeyError:
        return _OVERFLOW
