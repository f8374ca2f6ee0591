"""The interval of runs: a span that divides an hour or a day, for systemd and cron alike."""

from __future__ import annotations

from typing import Final

from allowsync.model.value import Value

_MINUTES: Final = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
_HOURS: Final = (1, 2, 3, 4, 6, 8, 12)
CHOICES: Final = (*(f"{one}m" for one in _MINUTES), *(f"{one}h" for one in _HOURS))


class Interval(Value):
    """A number of minutes that divides an hour, or of whole hours that divides a day."""

    minutes: int

    @staticmethod
    def parse(text: str) -> Interval:
        """An interval as typed: `5m`, `60m`, `2h`.

        Raises:
            ValueError: It is malformed, or does not divide an hour or a day.
        """
        number, unit = text[:-1], text[-1:]
        if unit not in ("m", "h") or not (number.isascii() and number.isdigit()):
            raise ValueError(f"expected one of {', '.join(CHOICES)}, got {text!r}")
        minutes = int(number) * (60 if unit == "h" else 1)
        known = minutes in _MINUTES or (minutes % 60 == 0 and minutes // 60 in _HOURS)
        if not known:
            raise ValueError(f"{text!r} does not divide an hour or a day: {', '.join(CHOICES)} do")
        return Interval(minutes)

    def __str__(self) -> str:
        return f"{self.minutes // 60}h" if self.minutes >= 60 else f"{self.minutes}m"

    @property
    def calendar(self) -> str:
        """The times of runs as a systemd calendar event (systemd.time(7))."""
        if self.minutes >= 60:
            return f"0/{self.minutes // 60}:00"
        return f"*:0/{self.minutes}"

    def cron(self, offset: int) -> str:
        """The times of runs as the first two fields of crontab(5).

        Args:
            offset: Any number; it spreads the runs of machines with the same interval.
        """
        if self.minutes == 60:
            return f"{offset % 60} *"
        if self.minutes > 60:
            return f"{offset % 60} */{self.minutes // 60}"
        if self.minutes == 1:
            return "* *"
        first = offset % self.minutes
        return f"{first}-59/{self.minutes} *"
