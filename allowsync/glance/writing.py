"""What a run that had nothing to do writes down for the next one."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from allowsync.glance import MOST_QUESTIONS
from allowsync.glance.looking import PROGRAM
from allowsync.glance.replies import masked, time_offsets
from allowsync.glance.watching import watching
from allowsync.model import Basis
from allowsync.outcome import Outcome
from allowsync.sight import CommandSight, FileSight, Sight, SocketSight, of_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from allowsync.believe import Judged
    from allowsync.config.settings import Config
    from allowsync.decide import Decision
    from allowsync.glance.watching import Row
    from allowsync.model import Query
    from allowsync.outcome import RunReport, TargetReport


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came, to a question asked by one datagram over UDP.

    Attributes:
        address: The nameserver's address.
        port: Its port.
        section: The question section, in lower case.
        mixes: Whether it repeats the case of the question's letters.
        wire: The answer.
    """

    address: str
    port: int
    section: bytes
    mixes: bool
    wire: bytes

    @property
    def row(self) -> tuple[str, int, bytes, bool, bytes, str]:
        """How it is kept: without id, spelling and TTLs.

        Raises:
            IndexError: The answer is not well formed.
        """
        offsets = time_offsets(self.wire)
        reply = masked(self.wire, len(self.section), offsets)
        return (self.address, self.port, self.section, self.mixes, reply,
                " ".join(map(str, offsets)))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Idle:
    """All that the next run has to see again to know that it has nothing to do.

    Attributes:
        program: Which program and version saw it.
        config: The configuration's absolute path.
        until: When the first access ends by itself; None when none does.
        sights: Files and listings.
        replies: Answers.
        hosts: The hosts it is about.
        watching: What is left for those who watch.
    """

    program: str
    config: str
    until: datetime | None
    sights: tuple[Sight, ...]
    replies: tuple[Reply, ...]
    hosts: tuple[str, ...]
    watching: tuple[Row, ...] = ()


def sights_of_configuration(path: Path) -> tuple[Sight, ...]:
    """The configuration file as it is before it is read, with whatever may replace it."""
    real = os.path.realpath(path)
    places = (os.path.abspath(path), real, os.path.dirname(real), "/etc/resolv.conf",
              os.path.realpath("/etc/resolv.conf"))  # fmt: skip
    return tuple(of_file(place) for place in dict.fromkeys(places))


def idle(
    config: Config,
    report: RunReport,
    before: tuple[Sight, ...],
    replies: Mapping[Query, Reply],
) -> Idle | None:
    """What to write down about a run; None when the next one has to look at everything itself.

    Args:
        config: The configuration.
        report: How the run came out.
        before: The configuration file as it was before it was read.
        replies: The answers as they came.
    """
    decisions = report.decisions.values()
    if not before or report.notices or report.exit_code or not all(map(_settled, decisions)):
        return None
    if not all(map(_untouched, report.targets)):
        return None
    heard = [replies.get(judged.query) for one in decisions for judged in one.judged]
    known = [reply for reply in heard if reply is not None]
    if len(known) < len(heard) or len(known) > MOST_QUESTIONS:
        return None
    sights = (*before, *_programs(config), *_listings(report.targets))
    left = watching(config, report)
    if left is None or not all(one.settled for one in sights):
        return None
    until = min((one.host.until for one in decisions if one.host.until), default=None)
    return Idle(
        PROGRAM, os.path.abspath(config.path), until, sights, tuple(dict.fromkeys(known)),
        tuple(report.decisions), left,
    )  # fmt: skip


def _settled(decision: Decision) -> bool:
    """Whether nothing about a host will change by the mere passing of time, `until` aside."""
    if decision.ended or decision.undecided or decision.moves:
        return False
    steady = all(grant.basis in (Basis.FRESH, Basis.FIXED) for grant in decision.grants)
    silent = (track for track in decision.memory.tracks.values() if track.reason)
    return steady and all(map(_plain, decision.judged)) and not any(one.held for one in silent)


def _plain(judged: Judged) -> bool:
    return not judged.rejected and not judged.warning


def _untouched(target: TargetReport) -> bool:
    """Whether a target was just as it should be, and can be looked at again cheaply."""
    plan, current = target.plan, target.current
    if target.outcome is not Outcome.UNCHANGED or plan is None or current is None:
        return False
    return plan.idle and not plan.withheld and not target.said and bool(current.sights)


def _listings(targets: Iterable[TargetReport]) -> Iterable[Sight]:
    return (sight for one in targets if one.current is not None for sight in one.current.sights)


def _programs(config: Config) -> Iterable[Sight]:
    """The files of the program itself, so that an update is noticed."""
    modules = dict.fromkeys(("allowsync", *(one.backend.make.__module__ for one in config.targets)))
    files = (getattr(sys.modules.get(name), "__file__", None) for name in modules)
    return (of_file(file) for file in files if file)


def rows(sights: Iterable[Sight]) -> list[tuple[str, str, str]]:
    """Sights as they are kept: kind, name, value."""
    kept = []
    for sight in dict.fromkeys(sights):
        match sight:
            case FileSight(path, numbers):
                kept.append(("file", path, " ".join(map(str, numbers))))
            case CommandSight(argv, output):
                kept.append(("command", "\0".join(argv), output))
            case SocketSight(path, question, answer):
                kept.append(("socket", f"{path}\0{question}", answer))
    return kept
