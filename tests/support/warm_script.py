"""A process of some Python that becomes a script of it again and again, by forking.

Tools in Python take longer to import than to do what they are for. It is run by its path: the
arguments are a socket that listens, a descriptor that ends it when its other end is closed, the
script (`-c` for one that is an argument), and the modules to import before. An order comes from
what was started in the script's place (see `tests.support.warm_tools`): arguments, environment, who
started it, and the descriptors of its standard streams, of its folder, and of its namespaces.
"""

import ast
import atexit
import ctypes
import gc
import importlib
import os
import runpy
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from typing import Final

LARGEST: Final = 1 << 17
HANDLES: Final = 6
PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_libc: Final = ctypes.CDLL(None, use_errno=True)


def become(script: str, order: bytes, descriptors: list[int]) -> int:
    """Be the script; returns how it ended."""
    arguments, environ, parent = ast.literal_eval(order.decode())
    *streams, folder, mounts, net = descriptors
    for namespace in (mounts, net) if os.geteuid() == 0 else ():
        if _libc.setns(namespace, 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    os.fchdir(folder)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, 1 << 10)
    os.environ.clear()
    os.environb.update(environ)
    time.tzset()
    sys.argv = [script, *arguments]
    os.getppid = lambda: parent  # of what was started, which ends this process when it is killed
    try:
        if script == "-c":
            exec(arguments[-1], {"__name__": "__main__"})
        else:
            runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    return 0


def forked(script: str, order: bytes, descriptors: list[int]) -> int:
    """A process that is the script; it does not outlive us."""
    pid = os.fork()
    if pid == 0:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        code = 1
        try:
            code = become(script, order, descriptors)
            atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr):
                if not stream.closed:
                    stream.flush()
        finally:
            if sys.exc_info()[0]:
                traceback.print_exc()
            os._exit(code)
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def begun(asked: socket.socket, script: str) -> tuple[int, int]:
    """Carry out an order: the handle of a process and its number."""
    order, descriptors, _, _ = socket.recv_fds(asked, LARGEST, HANDLES)
    pid = forked(script, order, descriptors)
    return os.pidfd_open(pid), pid


def serve(door: socket.socket, life: int, script: str) -> None:
    """Carry out orders, several at once if need be, until nobody gives any more."""
    poll = select.poll()
    poll.register(door, select.POLLIN)
    poll.register(life, select.POLLIN)
    running: dict[int, socket.socket] = {}  # by the handle of each process, who asked for it
    handles: dict[int, tuple[int, int]] = {}  # by who asked, the handle and its process
    while True:
        for ready, _ in poll.poll():
            if ready == life:
                return
            if ready == door.fileno():
                asked = door.accept()[0]
                handle, pid = begun(asked, script)
                running[handle], handles[asked.fileno()] = asked, (handle, pid)
                poll.register(handle, select.POLLIN)
                poll.register(asked, 0)  # which tells when it is hung up
            elif ready in running:
                asked = running.pop(ready)
                _, pid = handles.pop(asked.fileno())
                poll.unregister(ready)
                os.close(ready)
                with suppress(KeyError):
                    poll.unregister(asked)
                answer(asked, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            elif ready in handles:
                poll.unregister(ready)
                signal.pidfd_send_signal(handles[ready][0], signal.SIGKILL)


def answer(asked: socket.socket, code: int) -> None:
    """Tell who waits how it ended; a negative number for a signal."""
    with asked, suppress(OSError):  # it was killed meanwhile
        asked.send(str(code).encode())


def _begin() -> None:
    door, life, script, *modules = sys.argv[1:]
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=int(door)), int(life), script)


if __name__ == "__main__":
    _begin()
