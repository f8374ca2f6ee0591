"""The other side of the warm interpreter: orders in, what came of them out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.netns import Namespace

ROOT = Path(__file__).resolve().parents[2]
_SERVING = "from tests.faults.warm import serve\nserve()"


@dataclass(frozen=True, slots=True)
class Place:
    """A system call of a run: which process, which call of it, and what it is."""

    process: int
    number: int
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.process}.{self.number} {self.name} {self.what}"

    @property
    def at(self) -> list[int]:
        return [self.process, self.number]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended. `hit` is the call it was held at; empty when it did not come that far."""

    code: int
    out: str = field(repr=False)
    err: str
    hit: str = ""
    calls: tuple[Place, ...] = field(default=(), repr=False)

    @property
    def targets(self) -> dict[str, tuple[str, str]]:
        """Outcome and reason of each target; empty when it said nothing."""
        document = self.document if self.out else {}
        return {
            one["target"]: (one["outcome"], one["reason"] or "")
            for one in document.get("targets", ())
        }

    @property
    def document(self) -> dict[str, Any]:
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


@dataclass
class Warm:
    """A warm interpreter, in a network namespace if one is given.

    It is a context manager; runs take milliseconds while it is entered.
    """

    inside: Namespace | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    python: ClassVar[str | Path] = sys.executable  # which one it is
    _process: subprocess.Popen[str] = field(init=False, repr=False)

    def __enter__(self) -> Self:
        begin = partial(
            subprocess.Popen,
            [self.python, "-c", f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{_SERVING}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={
                **{name: os.environ[name] for name in ("PATH", "RUNTIME_DIRECTORY")},
                "HOME": "/nonexistent",
                **self.environ,
            },
        )
        self._process = self.inside.run(begin) if self.inside else begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        assert self._process.returncode == 0

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _ordered(self, **order: object) -> Ran:
        self._send(json.dumps(order))
        return self._ended(self._line())

    @staticmethod
    def _ended(line: str) -> Ran:
        answer = json.loads(line)
        numbers: dict[int, int] = {}
        places = []
        for process, name, what in answer.pop("calls"):
            numbers[process] = numbers.get(process, 0) + 1
            places.append(Place(process, numbers[process], name, what))
        return Ran(**answer, calls=tuple(places))

    def up(self, *argv: str) -> Ran:
        """Run `allowsync` for the sake of what it imports."""
        return self._ordered(warm=argv)

    def run(self, *argv: str) -> Ran:
        """Run `allowsync` undisturbed."""
        return self._ordered(argv=argv)

    def listed(self, *argv: str) -> Ran:
        """Run it undisturbed, and tell the calls it made."""
        return self._ordered(argv=argv, list=True)

    def killed(self, place: Place, whom: str, *argv: str) -> Ran:
        """Run it, and kill `all`, the `program` or its `child` right before a call."""
        return self._ordered(argv=argv, at=place.at, kill=whom)

    def failing(self, place: Place, error: int, *argv: str, lasting: bool = False) -> Ran:
        """Run it, and let a call fail; where that lasts, all later changes on a disk, too."""
        return self._ordered(argv=argv, at=place.at, error=error, lasting=lasting)

    def interrupted(self, place: Place, deed: Callable[[], object], *argv: str) -> Ran:
        """Run it, and do something while it waits at a call."""
        self._send(json.dumps({"argv": argv, "at": place.at, "pause": True}))
        line = self._line()
        if "paused" not in json.loads(line):
            return self._ended(line)
        try:
            deed()
        finally:
            self._send("go on")
        return self._ended(self._line())

    def looked_at(self, look: Callable[[str], object], *argv: str) -> Ran:
        """Run it, and look around before every call that changes anything but the state.

        The whole run waits meanwhile. `look` is told which call is next.
        """
        self._send(json.dumps({"argv": argv, "look": True}))
        while "paused" in (answer := json.loads(line := self._line())):
            try:
                look(answer["paused"])
            finally:
                self._send("go on")
        return self._ended(line)
