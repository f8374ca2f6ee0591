"""HAProxy as a process with a pid file, which it rewrites at each reload."""

from __future__ import annotations

import time
from typing import Final

from allowsync_backends.common.server.supervisor import Process

GRACE: Final = 0.1  # seconds without a process id; the gap is less than a millisecond
STEP: Final = 0.01


class MasterProcess(Process):
    """A master process. It counts as stopped when its pid file stays empty for a while."""

    def _main(self) -> int | None:
        deadline = time.monotonic() + GRACE
        while (main := super()._main()) is None and time.monotonic() < deadline:
            time.sleep(STEP)
        return main
