"""Namespaces that only this process holds, and the tools run in them."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.question import PacketsUnavailable
from allowsync.system.process import ENVIRONMENT, find

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW_NETWORK: Final = 0x40000000  # unshare(2)
NEW_USER: Final = 0x10000000
NEW_MOUNTS: Final = 0x00020000
_PRIVATE_MOUNTS: Final = 0x44000  # MS_REC | MS_PRIVATE
_DEATH_SIGNAL, _SIGKILL = 1, 9
_READ_ONLY: Final = 1  # ST_RDONLY
_TOOL_TIMEOUT: Final = 30.0

_libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent() -> None:
    """Make the kernel kill this process when its parent ends."""
    _libc.prctl(_DEATH_SIGNAL, _SIGKILL)


def new_network() -> int:
    """Enter a new network namespace; return the file that holds it."""
    _call("unshare", NEW_NETWORK)
    return current_network()


def current_network() -> int:
    """Return a file that holds the current network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter(network: int) -> None:
    """Enter a network namespace held by a file."""
    _call("setns", network, NEW_NETWORK)


@contextmanager
def as_user(user: int | None) -> Iterator[None]:
    """Open sockets as another user meanwhile, where that is possible."""
    if user is None:
        yield
        return
    own = _libc.setfsuid(user)
    try:
        yield
    finally:
        _libc.setfsuid(own)


def prepare() -> None:
    """Get the rights to make network namespaces: as root none, else by a user namespace.

    Raises:
        PacketsUnavailable: Neither is possible here.
    """
    try:
        _call("unshare", NEW_NETWORK)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise PacketsUnavailable(
                f"network namespaces cannot be made: {error.strerror}"
            ) from error
        _new_user()
    if os.statvfs("/proc/sys").f_flag & _READ_ONLY:
        _own_proc()


def _new_user() -> None:
    user, group = os.getuid(), os.getgid()
    try:
        _call("unshare", NEW_USER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        _call("unshare", NEW_NETWORK)
    except OSError as error:
        raise PacketsUnavailable(
            f"a copy of the packet filter needs a network namespace: {error.strerror}; run as root"
        ) from error


def _own_proc() -> None:
    """Mount /proc anew: the copy's sysctls are written there."""
    try:
        _call("unshare", NEW_MOUNTS)
        _call("mount", b"none", b"/", None, _PRIVATE_MOUNTS, None)
        _call("mount", b"proc", b"/proc", b"proc", 0, None)
    except OSError as error:
        raise PacketsUnavailable(f"/proc/sys is read-only here: {error.strerror}") from error


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


class Tools:
    """Programs, run in the current network namespace; they end with this process."""

    def __init__(self) -> None:
        # The lock of iptables belongs to the machine: the copy neither waits for it nor holds it.
        self._lock = os.memfd_create("xtables.lock", 0)
        self._environment = {
            **ENVIRONMENT,
            "XTABLES_LOCKFILE": f"/proc/{os.getpid()}/fd/{self._lock}",
        }

    def run(self, *argv: str, feed: str = "") -> str:
        """Run a program that must succeed. Returns its output.

        Raises:
            PacketsUnavailable: It is missing or failed.
        """
        try:
            done = subprocess.run(
                argv,
                input=feed,
                capture_output=True,
                text=True,
                errors="replace",
                env=self._environment,
                executable=find(argv[0]),
                preexec_fn=end_with_parent,
                timeout=_TOOL_TIMEOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise PacketsUnavailable(f"{argv[0]} is not installed") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PacketsUnavailable(f"{' '.join(argv)}: {error}") from error
        if done.returncode:
            raise PacketsUnavailable(f"{' '.join(argv)}: {done.stderr.strip()[:300]}")
        return done.stdout
