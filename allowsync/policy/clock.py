"""Elapsed time by clocks that may be wrong. Pure.

Access expires only when its time has really passed. Within one boot the machine's own uptime is
reliable (CLOCK_BOOTTIME, clock_gettime(2)); between two boots there is only the wall clock, which
may have lost its battery or be set by a broken time server. So time between two runs counts for
at most `LONGEST_GAP`, and never for more than the uptime grew; where a clock claims more than
`PLAUSIBLE`, no time counts. The claimed time that does not count is remembered as a gap and
subtracted from every span that reaches across it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from allowsync.model.clock import Chronology, Clock, Gap, Pulse
from allowsync.model.value import Value

LONGEST_GAP = timedelta(days=1)
PLAUSIBLE = timedelta(days=2)

# Wall clock time ahead of the uptime that a run tolerates: it is slewed and corrected by small
# steps on every machine.
TOLERANCE = timedelta(minutes=2)


class Now(Value):
    """The instant of a run, and the reliability of its clock.

    Attributes:
        instant: The wall clock.
        clock: Whether clocks may advance and expire in this run.
        gaps: The jumps of the wall clock ahead of the elapsed time.
        latest: The latest instant ever seen, if later.
    """

    instant: datetime
    clock: Clock = Clock.STEADY
    gaps: tuple[Gap, ...] = ()
    latest: datetime | None = None

    @property
    def counts(self) -> bool:
        """Whether this run may advance and expire clocks."""
        return self.clock is Clock.STEADY

    def passed(self, since: datetime) -> timedelta:
        """The time elapsed since an instant, as far as it is certain."""
        claimed = self.instant - since
        if not self.gaps:
            return claimed
        return claimed - sum((gap.by for gap in self.gaps if gap.at > since), timedelta(0))

    def reaches(self, until: datetime) -> bool:
        """Whether an instant has come; a clock that was set back does not undo that."""
        return max(self.instant, self.latest or self.instant) >= until


def read(known: Chronology, pulse: Pulse, forgotten: datetime | None = None) -> Now:
    """The instant of a run, given the clock readings of the runs before it.

    Args:
        known: The remembered clock readings.
        pulse: The machine's clocks.
        forgotten: The last run that left no memory; its answers are unknown, so no time counts
            before a later run is remembered.
    """
    instant = pulse.wall
    gaps = _gaps(known, instant)
    latest = max(instant, known.latest or instant, forgotten or instant)
    if known.last is None:
        return Now(instant, Clock.STEADY, gaps, latest)
    claimed = instant - known.last.wall
    if claimed < timedelta(0):
        return Now(instant, Clock.BACKWARDS, gaps, latest)
    lacking = forgotten is not None and not knows(known, forgotten)
    unknown = lacking or claimed > PLAUSIBLE
    passed = timedelta(0) if unknown else min(claimed, LONGEST_GAP)
    if pulse.boot and pulse.boot == known.last.boot:
        passed = min(passed, max(pulse.uptime - known.last.uptime, timedelta(0)))
    ahead = claimed - passed
    if ahead <= TOLERANCE:
        return Now(instant, Clock.STEADY, gaps, latest)
    return Now(instant, Clock.JUMPED, (*gaps, Gap(instant, ahead)), latest)


def knows(known: Chronology, forgotten: datetime | None) -> bool:
    """Whether a run is remembered that came no earlier than the last one that left no memory."""
    return forgotten is not None and known.last is not None and known.last.wall >= forgotten


def _gaps(known: Chronology, instant: datetime) -> tuple[Gap, ...]:
    """The gaps that remain for a clock that shows an instant.

    A clock that was ahead and is set back is ahead by so much less: the remainder of its gaps
    reaches up to the instant it shows.
    """
    gaps = tuple(gap for gap in known.gaps if gap.at <= instant)
    if known.last is None or len(gaps) == len(known.gaps):
        return gaps
    beyond = sum((gap.by for gap in known.gaps if gap.at > instant), timedelta(0))
    left = beyond - (known.last.wall - instant)
    return (*gaps, Gap(instant, left)) if left > timedelta(0) else gaps


def at_rest(known: Chronology, instant: datetime) -> Now:
    """The instant of a read-only use case, at which no clock expires."""
    gaps = _gaps(known, instant)
    return Now(instant, Clock.JUMPED, gaps, known.latest)


def remembered(now: Now, pulse: Pulse) -> Chronology:
    """The clock readings to remember after a run."""
    return Chronology(pulse, now.latest, now.gaps)
