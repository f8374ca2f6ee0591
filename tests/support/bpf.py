"""Programs of BPF that let everything pass: loaded by bpf(2), attached to what asks for one."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.netlink import ROUTE, Netlink, attribute

if TYPE_CHECKING:
    from pathlib import Path

_libc: Final = ctypes.CDLL(None, use_errno=True)
_SYSCALL: Final = {"x86_64": 321, "aarch64": 280}[platform.machine()]
_LOAD, _ATTACH = 5, 8
SKB, XDP = 8, 6  # BPF_PROG_TYPE_CGROUP_SKB, BPF_PROG_TYPE_XDP
_PASS: Final = {SKB: 1, XDP: 2}
INGRESS, EGRESS = 0, 1  # BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS
_NEW_LINK, _GENERIC = 16, 2


def load(kind: int) -> int:
    """Load a program: it returns what lets a packet pass. Returns its file."""
    steps = struct.pack("=BBhi", 0xB7, 0, 0, _PASS[kind]) + struct.pack("=BBhi", 0x95, 0, 0, 0)
    held = ctypes.create_string_buffer(steps)
    license_ = ctypes.create_string_buffer(b"GPL")
    return _bpf(
        _LOAD, struct.pack("=IIQQ", kind, 2, ctypes.addressof(held), ctypes.addressof(license_))
    )


def attach_to_group(program: int, group: Path, where: int) -> None:
    """Attach a program to a control group, as systemd does for IPAddressDeny."""
    target = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _bpf(_ATTACH, struct.pack("=IIII", target, program, where, 0))
    finally:
        os.close(target)


def attach_to_interface(program: int, index: int) -> None:
    """Attach a program to an interface of this network namespace (XDP)."""
    body = struct.pack("=BBHiII", 0, 0, 0, index, 0, 0)
    parts = attribute(1, struct.pack("=i", program)) + attribute(3, struct.pack("=I", _GENERIC))
    netlink = Netlink(ROUTE)
    assert netlink.request(_NEW_LINK, 0, body + attribute(0x8000 | 43, parts)) == 0
    netlink.close()


def _bpf(command: int, how: bytes) -> int:
    given = ctypes.create_string_buffer(how.ljust(144, b"\0"), 144)
    found = int(_libc.syscall(_SYSCALL, command, given, 144))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found
