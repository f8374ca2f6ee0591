"""Explanations corrected by findings of servers and services that check a list themselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from allowsync.inspect.diagnostics import about_target
from allowsync.inspect.explain import AccessVerdict
from allowsync.inspect.layers import gates
from allowsync.model.target import Severity
from allowsync.model.value import replace
from allowsync.system.owner import ROOT

if TYPE_CHECKING:
    from allowsync.config.settings import Config
    from allowsync.inspect.explain import Explanation, TargetAnswer
    from allowsync.model.target import Finding


def as_far_as_effective(config: Config, answer: Explanation) -> Explanation:
    """An explanation in which "no" is said only where a list keeps others out.

    Packets tell what gates do. What a web server or a CDN makes of its list, its backend tells: an
    error leaves unknown whether others stay out, and warnings are added. Backends run programs for
    it that only root may run without a password.
    """
    if os.geteuid() != ROOT:
        return answer
    guarding = {gate.name for _, gate, _ in gates(config)}
    found: dict[str, list[Finding]] = {}
    denied = {one.target for one in answer.places if one.verdict is AccessVerdict.NO} - guarding
    for target in config.targets:
        if target.name in denied:
            given = (one.finding for one in about_target(target, was_read=True))
            found[target.name] = [one for one in given if one.severity is not Severity.INFO]

    def judged(place: TargetAnswer) -> TargetAnswer:
        errors = [one for one in found.get(place.target, ()) if one.severity is Severity.ERROR]
        if not errors:
            return place
        said = f"in no entry; whether it gets in is unknown: {errors[0].what}"
        return replace(place, verdict=AccessVerdict.UNKNOWN, said=said)

    told = {one.target: judged(one) for one in answer.places}
    warned = (
        f"{name}: {one.what}"
        for name, several in found.items()
        for one in several
        if one.what not in told[name].said
    )
    return replace(answer, places=tuple(told.values()), reasons=(*answer.reasons, *warned))
