"""BPF programs of control groups, which filter what the sockets of a service receive and send.

As by `IPAddressDeny=` of a unit (systemd.resource-control(5)). They run behind every rule, and are
no part of the packet filter.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.listeners import sockets
from allowsync.packetpath.netlink import first, native

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.packetpath.question import Question

_GROUP: Final = 21  # INET_DIAG_CGROUP_ID
_MOUNTS: Final = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
_BPF: Final = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
_QUERY, _DIRECTIONS, _EFFECTIVE = (
    16,
    (0, 1),
    1,
)  # BPF_PROG_QUERY; ingress and egress; of parents too
_QUERY_SIZE, _COUNT_AT = 64, 24
_HANDLE: Final = 0xFE  # FILEID_KERNFS: the handle is the number alone

_libc: Final = ctypes.CDLL(None, use_errno=True)


def filtered(questions: Iterable[Question]) -> tuple[str, ...]:
    """Return the ports asked about whose programs have such filters, in words."""
    asked: dict[str, set[range]] = {}
    for one in questions:
        asked.setdefault(one.protocol, set()).add(range(one.port, (one.last or one.port) + 1))
    groups: dict[int, set[str]] = {}
    for protocol, spans in asked.items():
        for _, port, held in sockets(protocol):
            group = native(first(held, _GROUP))
            if any(port in span for span in spans):
                groups.setdefault(group, set()).add(f"{port}/{protocol}")
    return tuple(
        f"BPF programs of the control group {name} ({', '.join(sorted(groups[number]))}),"
        " as IPAddressDeny= sets them"
        for number, name in _with_filters(groups)
    )


def _with_filters(groups: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Yield the control groups that have filters, with their names."""
    call = _BPF.get(os.uname().machine)
    top = next((one for one in _MOUNTS if (one / "cgroup.controllers").exists()), None)
    if call is None or top is None:
        return
    for number in groups:
        if (group := _opened(top, number)) >= 0:
            if any(_count(call, group, way) for way in _DIRECTIONS):
                yield number, str(Path(f"/proc/self/fd/{group}").readlink()).removeprefix(f"{top}/")
            os.close(group)


def _opened(top: Path, number: int) -> int:
    """Return a file for a control group, by its number; -1 without the right to that."""
    mount = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    handle = ctypes.create_string_buffer(struct.pack("=IiQ", 8, _HANDLE, number))
    group = _libc.open_by_handle_at(mount, handle, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.close(mount)
    return int(group)


def _count(call: int, group: int, way: int) -> int:
    """Return the number of programs in one direction, those of parent groups among them."""
    asked = struct.pack("=III", group, way, _EFFECTIVE).ljust(_QUERY_SIZE, b"\0")
    buffer = ctypes.create_string_buffer(asked, _QUERY_SIZE)
    if _libc.syscall(call, _QUERY, buffer, _QUERY_SIZE) != 0:
        return 0
    return int(struct.unpack_from("=I", buffer, _COUNT_AT)[0])
