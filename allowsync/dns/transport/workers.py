"""Blocking calls in threads, with their results returned to the loop.

A blocking library call runs beside the loop and holds nothing up: the loop stops waiting when it
has to, and the threads are daemons, so that the program does not wait for them either. By
`_thread`, because importing `threading` takes a tenth of an idle run; Python's own `threading` and
`queue` are built on the same, and nothing here joins, names or counts threads.
"""

from __future__ import annotations

import _socket
import _thread
from collections import deque
from contextlib import suppress
from selectors import EVENT_READ

from allowsync.typed import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import BaseSelector

T = TypeVar("T")

MOST: Final = 256  # threads at once; more would be hung calls


class Workers:
    """Runs calls in threads, for the one thread of the loop."""

    def __init__(self, selector: BaseSelector) -> None:
        self._selector = selector
        self._returned: deque[Callable[[], None]] = deque()
        self._busy = 0
        self._closed = False
        self._lock = _thread.allocate_lock()  # guards waking the loop
        self._pair: tuple[_socket.socket, _socket.socket] | None = None

    def run(self, call: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run a call that must not raise in a thread, and give its result to `done` in the loop.

        Raises:
            OSError: No thread is available.
        """
        if self._busy >= MOST:
            raise OSError(f"more than {MOST} connections hang")
        self._listen()
        try:
            _thread.start_new_thread(self._work, (call, done))
        except RuntimeError as error:
            raise OSError(str(error)) from error
        self._busy += 1

    def close(self) -> None:
        """Stop listening. Later results are delivered in their own threads, for cleanup."""
        with self._lock:
            self._closed = True
            if self._pair is not None:
                self._selector.unregister(self._pair[0])
                for one in self._pair:
                    one.close()
        self._tell()

    def _listen(self) -> None:
        if self._pair is None:
            kind = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK
            self._pair = _socket.socketpair(_socket.AF_UNIX, kind)
            self._selector.register(self._pair[0], EVENT_READ, self._on_ready)

    def _work(self, call: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run the call, in a thread."""
        outcome = call()
        self._returned.append(lambda: done(outcome))
        with self._lock:
            if self._pair is not None and not self._closed:
                with suppress(BlockingIOError):  # the loop is woken already
                    self._pair[1].send(b"\0")
                return
        self._tell()

    def _on_ready(self, _mask: int) -> None:
        if self._pair is not None:
            with suppress(BlockingIOError):
                self._pair[0].recv(4096)
        self._tell()

    def _tell(self) -> None:
        while True:
            try:
                told = self._returned.popleft()
            except IndexError:
                return
            self._busy -= 1
            told()
