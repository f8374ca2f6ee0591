"""A real shell on a terminal of its own, typed at as a person does."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

LONGEST = 120.0  # seconds that a shell may take to answer on a busy machine


class Shell:
    """An interactive shell. Ends with its terminal."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**environ, "TERM": "dumb", "COLUMNS": "200"},
        )
        os.close(slave)
        self._seen = ""

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, keys: str, until: str) -> str:
        """Type, and wait for a text to come; all that came until then, the text included."""
        os.write(self._master, keys.encode())
        ends = time.monotonic() + LONGEST
        while until not in self._seen:
            left = ends - time.monotonic()
            assert left > 0, f"{until!r} did not come; this did: {self._seen!r}"
            if select.select([self._master], [], [], min(left, 1.0))[0]:
                self._seen += os.read(self._master, 65536).decode(errors="replace")
        came, _, self._seen = self._seen.partition(until)
        return came + until
