"""Holding a program at its system calls, without a debugger.

A seccomp filter (seccomp_unotify(2)) stops a process, and all it starts, at each system call of a
list, until whoever holds the listener lets it go on, makes the call fail, or kills it. Nothing
else is slowed down, and it works alike for every program the process starts.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Numbers of asm/unistd.h. Where there are two of a kind, newer machines have only the second.
NUMBERS: Final = {
    "x86_64": {
        "seccomp": 317, "write": 1, "writev": 20, "pwrite64": 18, "fsync": 74, "fdatasync": 75,
        "ftruncate": 77, "fallocate": 285, "open": 2, "openat": 257, "unlink": 87, "unlinkat": 263,
        "rename": 82, "renameat": 264, "renameat2": 316, "link": 86, "linkat": 265, "mkdir": 83,
        "mkdirat": 258, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchown": 93, "sendto": 44,
        "sendmsg": 46, "execve": 59, "pread64": 17, "copy_file_range": 326, "flock": 73,
    },
    "aarch64": {
        "seccomp": 277, "write": 64, "writev": 66, "pwrite64": 68, "fsync": 82, "fdatasync": 83,
        "ftruncate": 46, "fallocate": 47, "openat": 56, "unlinkat": 35, "renameat": 38,
        "renameat2": 276, "linkat": 37, "mkdirat": 34, "fchmod": 52, "fchmodat": 53, "fchown": 55,
        "sendto": 206, "sendmsg": 211, "execve": 221, "pread64": 67, "copy_file_range": 285,
        "flock": 32,
    },
}  # fmt: skip
NAMES: Final = {number: name for name, number in NUMBERS[platform.machine()].items()}

# Which argument is the path, of calls that name one; the rest are about a descriptor.
PATHS: Final = {
    "open": 0, "openat": 1, "unlink": 0, "unlinkat": 1, "rename": 1, "renameat": 3, "renameat2": 3,
    "link": 1, "linkat": 3, "mkdir": 0, "mkdirat": 1, "chmod": 0, "fchmodat": 1, "execve": 0,
}  # fmt: skip

PR_SET_NO_NEW_PRIVS: Final = 38
SET_MODE_FILTER, NEW_LISTENER = 1, 1 << 3
ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000  # seccomp(2)
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
RECEIVE, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_*
CONTINUE: Final = 1
NOTIFICATION, RESPONSE = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")

# Messages with this flag are let through: the listener itself is handed over in one.
UNSEEN: Final = socket.MSG_NOSIGNAL

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Held:
    """A system call that waits for a decision."""

    cookie: int
    pid: int
    name: str
    arguments: tuple[int, ...]

    @property
    def kind(self) -> str:
        """The call's name; `create` for one that opens a file and makes it if it is missing."""
        flags = {"open": 1, "openat": 2}.get(self.name)
        if flags is not None and self.arguments[flags] & os.O_CREAT:
            return "create"
        return self.name

    @property
    def what(self) -> str:
        """What it is about: a path, or what a descriptor stands for; empty when that is gone."""
        try:
            if self.name in PATHS:
                return _text(self.pid, self.arguments[PATHS[self.name]])
            return str(Path(f"/proc/{self.pid}/fd/{self.arguments[0]}").readlink())
        except OSError:
            return ""


def _text(pid: int, address: int) -> str:
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # A path may end right before a page that cannot be read.
        size = min(4096, 4096 - address % 4096) or 4096
        return os.pread(memory, size, address).split(b"\0")[0].decode(errors="replace")
    finally:
        os.close(memory)


def hand_over(to: socket.socket) -> None:
    """Hold this process at its calls from now on, and give the listener away."""
    jumps = [struct.pack("=HBBI", EQUAL, 0, 1, number) + _answer(NOTIFY) for number in NAMES
             if NAMES[number] not in ("seccomp", "sendmsg")]  # fmt: skip
    flags = 16 + 8 * 2  # the third argument of struct seccomp_data
    unseen = (
        struct.pack("=HBBI", EQUAL, 0, 4, NUMBERS[platform.machine()]["sendmsg"])
        + struct.pack("=HBBI", LOAD, 0, 0, flags)
        + struct.pack("=HBBI", EQUAL, 0, 1, UNSEEN)
        + _answer(ALLOW)
        + _answer(NOTIFY)
    )
    code = struct.pack("=HBBI", LOAD, 0, 0, 0) + b"".join(jumps) + unseen + _answer(ALLOW)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    number = NUMBERS[platform.machine()]["seccomp"]
    listener = _libc.syscall(number, SET_MODE_FILTER, NEW_LISTENER, program)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("@i", listener))
    to.sendmsg([b"."], [rights], UNSEEN)
    os.close(listener)


def _answer(value: int) -> bytes:
    return struct.pack("=HBBI", RETURN, 0, 0, value)


def receive(listener: int) -> Held | None:
    """The next call that waits; None when its process ended meanwhile."""
    buffer = bytearray(NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, RECEIVE, buffer, True)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):
            return None
        raise
    cookie, pid, _, number, _, _, *arguments = NOTIFICATION.unpack(buffer)
    return Held(cookie, pid, NAMES[number], tuple(arguments))


def let_go(listener: int, call: Held) -> None:
    """Let a call happen."""
    _respond(listener, RESPONSE.pack(call.cookie, 0, 0, CONTINUE))


def refuse(listener: int, call: Held, number: int) -> None:
    """Let a call fail with an error, without happening."""
    _respond(listener, RESPONSE.pack(call.cookie, 0, -number, 0))


def _respond(listener: int, response: bytes) -> None:
    try:
        fcntl.ioctl(listener, SEND, response)
    except OSError as error:
        if error.errno != errno.ENOENT:  # its process was killed meanwhile
            raise
