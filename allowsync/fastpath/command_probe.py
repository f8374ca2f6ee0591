"""Starting a command that changes nothing, without importing what `allowsync.system.process` needs.

The same rules: no shell, a fixed search path and environment, a session of its own, a time limit.
"""

import os
import select
import signal
import time

from allowsync.system.search_path import ENVIRONMENT, find

TIMEOUT = 5.0  # seconds
LARGEST = 1 << 24  # bytes


class Child:
    """A command that has been started.

    Args:
        argv: The program, found on `PATH`, and its arguments.

    Raises:
        OSError: It could not be started.
    """

    def __init__(self, argv: "list[str]") -> None:
        self._deadline = time.monotonic() + TIMEOUT
        self._reading, writing = os.pipe()
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._pid = os.posix_spawn(
                find(argv[0]),
                argv,
                ENVIRONMENT,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, nothing, 0),
                    (os.POSIX_SPAWN_DUP2, writing, 1),
                    (os.POSIX_SPAWN_DUP2, nothing, 2),
                ],
                setsid=True,
            )
        except OSError:
            os.close(self._reading)
            raise
        finally:
            os.close(writing)
            os.close(nothing)

    def output(self) -> bytes:
        """Everything it wrote, once it has ended well.

        Raises:
            OSError: It failed, took too long, or wrote without end.
        """
        parts, size, status = [], 0, -1
        try:
            while size <= LARGEST and (part := self._more()):
                parts.append(part)
                size += len(part)
            _, status = os.waitpid(self._pid, 0)
        except TimeoutError:
            os.killpg(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            raise
        finally:
            os.close(self._reading)
        if status != 0:
            raise OSError(status, "the command failed")
        return b"".join(parts)

    def _more(self) -> bytes:
        left = self._deadline - time.monotonic()
        ready, _, _ = select.select([self._reading], [], [], max(0.0, left))
        if not ready:
            raise TimeoutError
        return os.read(self._reading, 1 << 20)
