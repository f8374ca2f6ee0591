"""An installation over days: commands run in this process, by a clock that the test sets."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time
from freezegun.api import TickingDateTimeFactory

from allowsync.cli import run_command_line
from allowsync.system import clock as machine_clock
from tests.support.program import ProgramResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.program import Installation

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@dataclass
class Days:
    """Runs commands of an installation, each at an instant of the test's choosing.

    The clock ticks between them, as waiting for the DNS goes by it: what is to be read back to the
    second stays far from the next one.
    """

    here: Installation
    clock: TickingDateTimeFactory
    capture: pytest.CaptureFixture[str]
    instant: datetime | None = START

    def at(self, minutes: float) -> Days:
        """Move the clock to so many minutes after the start."""
        self.instant = START + timedelta(minutes=minutes)
        self.clock.move_to(self.instant)
        return self

    def __call__(self, command: str, *arguments: str) -> ProgramResult:
        self.here.write()
        self.capture.readouterr()
        if self.instant is not None:  # what was made ready since then took its time
            self.clock.move_to(self.instant)
            self.instant = None
        words = [*command.split(), *arguments, "--config", str(self.here.path)]
        code = run_command_line(words)
        said = self.capture.readouterr()
        return ProgramResult(code, said.out, said.err)


@contextmanager
def clock_at(start: datetime) -> Iterator[TickingDateTimeFactory]:
    """A wall clock that ticks and can be moved, and an uptime that agrees with it.

    freezegun knows nothing of CLOCK_BOOTTIME, and a wall clock that is ahead of the uptime is one
    that jumped.
    """
    with freeze_time(start, tick=True) as clock, pytest.MonkeyPatch.context() as patch:
        assert isinstance(clock, TickingDateTimeFactory)
        patch.setattr(
            machine_clock, "uptime", lambda: datetime.now(UTC) - start + timedelta(days=1)
        )
        yield clock


@contextmanager
def days(here: Installation, capture: pytest.CaptureFixture[str]) -> Iterator[Days]:
    """The clock stands at the start, and time passes."""
    with clock_at(START) as clock:
        yield Days(here, clock, capture)
