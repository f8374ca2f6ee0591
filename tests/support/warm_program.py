"""A process that has imported the program already, and becomes it again and again by forking.

Starting the program takes as long as a run. It is run by its path and imports nothing of the
tests: what it forks should be as like the installed program as can be. An order is a line of JSON
with the descriptors to use, on a socket for sequenced packets (see `tests.support.program`).
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import socket
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, Final

APART: Final = ("allowsync.testing", "allowsync_backends.file.template_worker")
LARGEST: Final = 1 << 17
_libc: Final = ctypes.CDLL(None, use_errno=True)


def import_all(package: ModuleType) -> None:
    """Import a package with all its modules, apart from what no run imports."""
    for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not one.name.startswith(APART) and not one.name.endswith("__main__"):
            importlib.import_module(one.name)


def become(order: dict[str, Any], descriptors: list[int]) -> None:
    """Be the program, and end."""
    out, err, folder, *namespaces = descriptors
    for descriptor in namespaces:
        if _libc.setns(descriptor, 0) != 0:
            os._exit(121)
    os.fchdir(folder)
    os.umask(order["umask"])
    for number, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(descriptor, number)
    os.closerange(3, 1 << 10)
    os.environ.clear()
    os.environ.update(order["environ"])
    time.tzset()
    sys.argv = order["argv"]
    gc.disable()
    from allowsync.__main__ import main

    try:
        main()
    except SystemExit as ended:
        atexit._run_exitfuncs()
        sys.stderr.flush()
        # To take apart all that was imported would cost more than the run.
        os._exit(ended.code if isinstance(ended.code, int) else 1)


def serve(orders: socket.socket) -> None:
    """Carry out orders, several at once if need be, until nobody gives any more."""
    poll = select.poll()
    poll.register(orders, select.POLLIN)
    running: dict[int, tuple[int, int]] = {}
    while True:
        for ready, _ in poll.poll():
            if ready in running:
                pid, number = running.pop(ready)
                poll.unregister(ready)
                os.close(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                orders.send(json.dumps([number, code]).encode())
                continue
            text, descriptors, _, _ = socket.recv_fds(orders, LARGEST, 8)
            if not text:
                return
            order = json.loads(text)
            pid = os.fork()
            if pid == 0:
                orders.close()
                become(order, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            handle = os.pidfd_open(pid)
            running[handle] = (pid, order["number"])
            poll.register(handle, select.POLLIN)


def _begin() -> None:
    import allowsync_backends

    import allowsync

    sys.path[:] = [one for one in sys.path if one]
    sys.path.insert(0, str(Path(sys.executable).parent))
    for package in (allowsync, allowsync_backends):
        import_all(package)
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    _begin()
