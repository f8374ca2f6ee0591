"""An installation over days: commands run in this process, by a clock that the test sets."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from freezegun import freeze_time
from freezegun.api import TickingDateTimeFactory

from allowsync.cli import run_command_line
from tests.support.program import ProgramResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

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

    def at(self, minutes: float) -> Days:
        """Move the clock to so many minutes after the start."""
        self.clock.move_to(START + timedelta(minutes=minutes))
        return self

    def __call__(self, command: str, *arguments: str) -> ProgramResult:
        self.here.write()
        self.capture.readouterr()
        words = [*command.split(), *arguments, "--config", str(self.here.path)]
        code = run_command_line(words)
        said = self.capture.readouterr()
        return ProgramResult(code, said.out, said.err)


@contextmanager
def days(here: Installation, capture: pytest.CaptureFixture[str]) -> Iterator[Days]:
    """The clock stands at the start, and time passes."""
    with freeze_time(START, tick=True) as clock:
        assert isinstance(clock, TickingDateTimeFactory)
        yield Days(here, clock, capture)
