"""What a run that had nothing to do writes down for the next one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from allowsync.fastpath.check import PROGRAM
from allowsync.fastpath.export_record import watching
from allowsync.model.fingerprint import (
    MOST_QUESTIONS,
    Idle,
    Reply,
    Sight,
)
from allowsync.model.outcome import Outcome
from allowsync.model.types import Basis
from allowsync.system.fingerprint import of_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from allowsync.config.settings import Config
    from allowsync.model.types import Query
    from allowsync.plan.result import RunReport, TargetReport
    from allowsync.policy.decision import Decision
    from allowsync.policy.screening import ScreenedAnswer


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


def _plain(judged: ScreenedAnswer) -> bool:
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
