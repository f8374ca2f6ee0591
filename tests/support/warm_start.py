"""The other side of the warm program: it is ordered to run, and what came of it is collected."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVER: Final = Path(__file__).with_name("warm_program.py")
ENTERED: Final = ("mnt", "net")  # the namespaces of the thread that asks, in this order
OTHERS: Final = ("cgroup", "ipc", "pid", "user", "uts")
FIRST_WORDS: Final = ("LANG", "LC_", "PYTHON", "COVERAGE")  # what Python asks for when it starts


def namespaces(names: Sequence[str]) -> list[int]:
    """Which namespaces this thread is in."""
    return [Path(f"/proc/thread-self/ns/{name}").stat().st_ino for name in names]


class WarmProgram:
    """A process that becomes the program, and who waits for it; one for a process of tests."""

    def __init__(self, path: str) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                (sys.executable, "-P", SERVER, str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                env={"PATH": path, "HOME": "/nonexistent"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            ).returncode = 0  # it ends with us, and is not waited for
        self._others = namespaces(OTHERS)
        self._ended: dict[int, int] = {}
        self._number = 0
        self._change = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def serves(self, environ: Mapping[str, str]) -> bool:
        """Whether a run from here would be as one that is started."""
        usual = not any(name.startswith(FIRST_WORDS) for name in environ)
        return usual and os.geteuid() == os.getuid() == 0 and namespaces(OTHERS) == self._others

    def run(
        self, argv: Sequence[str], environ: Mapping[str, str], timeout: float
    ) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a run."""
        with ExitStack() as stack:
            descriptors = [os.memfd_create(name) for name in ("out", "err")]
            descriptors.append(os.open(".", os.O_PATH | os.O_DIRECTORY))
            descriptors += [
                os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY) for name in ENTERED
            ]
            for descriptor in descriptors:
                stack.callback(os.close, descriptor)
            code = self._carried_out(argv, environ, timeout, descriptors)
            said = [os.pread(one, os.fstat(one).st_size, 0).decode() for one in descriptors[:2]]
        return code, said[0], said[1]

    def _carried_out(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        timeout: float,
        descriptors: list[int],
    ) -> int:
        with self._change:
            self._number += 1
            number = self._number
            order = {"number": number, "argv": list(argv), "environ": environ, "umask": _umask()}
            socket.send_fds(self._orders, [json.dumps(order).encode()], descriptors)
            if not self._change.wait_for(lambda: number in self._ended, timeout):
                raise subprocess.TimeoutExpired(argv, timeout)
            return self._ended.pop(number)

    def _listen(self) -> None:
        while text := self._orders.recv(1 << 10):
            number, code = json.loads(text)
            with self._change:
                self._ended[number] = code
                self._change.notify_all()


def _umask() -> int:
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)


@cache
def warm_program() -> WarmProgram:
    """The one of this process."""
    return WarmProgram(os.environ["PATH"])
