"""Real network namespaces, each kept alive by a thread of its own.

A namespace ends with its thread, so nothing is ever left behind, not even by a killed test run.
Sockets made inside stay inside, whoever uses them; programs started inside run inside.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

CLONE_NEWNET = 0x40000000  # unshare(2)
CLONE_NEWNS = 0x00020000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1  # netdevice(7)

_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace with a thread inside that runs whatever it is given."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, "netns", initializer=_leave_for_a_new_one)
        self.thread_id: int = self.run(threading.get_native_id)
        # Duplicate address detection would keep link-local addresses silent for a second or two.
        self.sysctl("net/ipv6/conf/default/accept_dad", "0")
        self.run(_loopback_up)

    def __enter__(self) -> Namespace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread, and with it the namespace once no socket is in it any more."""
        self._worker.shutdown()

    def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call something inside, and wait for it. What it raises is raised here."""
        if threading.get_native_id() == getattr(self, "thread_id", 0):
            return call(*args, **kwargs)  # it is called from inside
        return self._worker.submit(call, *args, **kwargs).result()

    def command(self, *argv: str, stdin: str = "") -> str:
        """Run a program inside that must succeed. Returns what it prints."""
        done: subprocess.CompletedProcess[str] = self.run(
            lambda: subprocess.run(
                argv, input=stdin, capture_output=True, text=True, check=False, timeout=60
            )
        )
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start a program inside, with pipes to talk to it."""
        return self.run(
            lambda: subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )

    def batch(self, *lines: str) -> None:
        """Carry out commands of ip(8)."""
        self.command("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    def nft(self, script: str) -> str:
        """Load an nftables script. Returns what it prints."""
        return self.command("nft", "-f", "-", stdin=script)

    def sysctl(self, name: str, value: str) -> None:
        """Set a kernel setting of this namespace, such as `net/ipv4/ip_forward`."""
        self.run(lambda: Path("/proc/sys", name).write_text(value))

    def keep_mounts(self) -> None:
        """Let nothing that is mounted from now on be seen outside."""
        self.run(_leave, CLONE_NEWNS)
        self.command("mount", "--make-rprivate", "/")

    def join(self, other: Namespace, name: str, peer: str) -> None:
        """Lay a cable from an interface here to one over there, both up."""
        self.batch(
            f"link add name {name} type veth peer name {peer} netns {other.thread_id}",
            f"link set dev {name} up",
        )
        other.batch(f"link set dev {peer} up")


def _loopback_up() -> None:
    """As `ip link set lo up`, without a program: there are thousands of namespaces."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def _leave_for_a_new_one() -> None:
    _leave(CLONE_NEWNET)


def _leave(kind: int) -> None:
    if _libc.unshare(kind) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))
