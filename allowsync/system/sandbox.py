"""Drops the privileges of this process, for good, before it reads untrusted data.

Everything is done through the C library that is loaded already. Steps that a kernel, a container or
a service manager refuses are skipped and reported; `Confinement.is_sound` judges the rest.
"""

from __future__ import annotations

import ctypes
import os
import resource
from struct import pack, unpack

from allowsync.system.fork import Bounds, Confinement
from allowsync.system.landlock import restrict_files
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# A user id without an account: outside the ranges of Debian's accounts (up to 64999) and systemd's
# services (61184 to 65519), and within the 65536 ids of a container. `nobody` may be shared by
# other processes without an account, which could then be signalled; and a fixed id can be named in
# a firewall rule.
NUMBER: Final = 65530

MAX_THREADS: Final = 512
MAX_FILES: Final = 1024

_SIGKILL: Final = 9  # importing `signal` would make enumerations of them all
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION: Final = 0x20080522
_MAX_CAPABILITIES: Final = 64
_CAP_KILL, _CAP_SETGID, _CAP_SETUID, _CAP_SETPCAP = 5, 6, 7, 8

_libc: Final = ctypes.CDLL(None, use_errno=True)


def confine(bounds: Bounds) -> Confinement:
    """Give up all privileges that can be given up. Not to be called beside other threads."""
    lacking: list[str] = []

    def attempt(what: str, step: Callable[[], object]) -> bool:
        try:
            step()
        except (OSError, ValueError) as error:
            lacking.append(f"{what}: {getattr(error, 'strerror', None) or error}")
            return False
        return True

    attempt("limits", lambda: _limit(bounds))
    if _effective() >> _CAP_SETPCAP & 1:  # otherwise no started program could gain one
        attempt("bounding set of capabilities", _empty_bounding_set)
    # Without these capabilities, root is confined already, by a service manager or a container.
    # Such a run goes on, whatever its kernel supports: a service must not fail without Landlock.
    walled = os.geteuid() == 0 and not _may_change_user()
    if os.geteuid() == 0:
        attempt("another user", _change_user)
    attempt("capabilities", _drop_capabilities)
    attempt("no new privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1))
    attempt("memory dumps", lambda: _prctl(_PR_SET_DUMPABLE, 0))
    no_files = attempt("Landlock", lambda: restrict_files(_libc, bounds.ports, bounds.readable))
    # Last: a change of user clears it.
    attempt("end with the parent", lambda: _prctl(_PR_SET_PDEATHSIG, _SIGKILL))
    is_sound = no_files or walled or 0 not in os.getresuid()
    return Confinement(is_sound, "; ".join(lacking))


def _limit(bounds: Bounds) -> None:
    for kind, limit in (
        (resource.RLIMIT_DATA, bounds.memory),
        (resource.RLIMIT_CPU, bounds.processor),
        (resource.RLIMIT_NOFILE, MAX_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (least, least))


def _empty_bounding_set() -> None:
    """Make sure that no program started from here could gain a capability."""
    for number in range(_MAX_CAPABILITIES):
        if _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            if number:  # one past the last capability of the kernel
                return
            raise _failed()


def _change_user() -> None:
    """Become a user that owns nothing, if the parent can still end this process then."""
    if not _may_change_user():
        raise PermissionError(1, "needs CAP_KILL, CAP_SETGID and CAP_SETUID")
    os.setgroups([])
    os.setresgid(NUMBER, NUMBER, NUMBER)
    os.setresuid(NUMBER, NUMBER, NUMBER)
    # All processes of that id are resolvers. Another user may have more processes already.
    resource.setrlimit(resource.RLIMIT_NPROC, (MAX_THREADS, MAX_THREADS))


def _may_change_user() -> bool:
    """Whether this process may become another user, and the run may still end it then."""
    held = _effective()
    return all(held >> one & 1 for one in (_CAP_KILL, _CAP_SETGID, _CAP_SETUID))


def _drop_capabilities() -> None:
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    if _libc.capset(pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24)) != 0:
        raise _failed()


def _effective() -> int:
    """The effective capabilities, a bit each."""
    held = ctypes.create_string_buffer(24)
    if _libc.capget(pack("=Ii", _CAPABILITY_VERSION, 0), held) != 0:
        raise _failed()
    low, _, _, high, _, _ = unpack("=6I", held.raw)
    return int(high) << 32 | int(low)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise _failed()


def _failed() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
