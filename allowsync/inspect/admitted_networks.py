"""Networks named in rules that reach a guarded port and belong to no host. Pure.

An office or monitor admitted on purpose belongs on the allowlist, as a host with `networks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.inspect.guarded_packets import met, questions
from allowsync.inspect.guarded_target import strangers
from allowsync.inspect.reachability import IN, asked_of, by_rules, some, way, way_of
from allowsync.model.target import Finding, Severity
from allowsync.packetpath.question import NAMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.inspect.guarded_target import GuardedTarget
    from allowsync.model.target import PortRange
    from allowsync.packetpath.question import Answer, Question

_ADVICE: Final = (
    "delete or narrow that rule; or make them a host of the allowlist, if they are to have access"
)


def about_named(targets: Iterable[GuardedTarget]) -> Iterator[Question]:
    """Questions whether networks named in rules reach the guarded ports."""
    for one in _known(targets):
        for source in NAMED:
            yield from questions(source, one.guard)


def _known(targets: Iterable[GuardedTarget]) -> Iterator[GuardedTarget]:
    """Targets that are known to admit no networks beside their own."""
    return (one for one in targets if not one.assumed)


def admitted(
    targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Networks that reach a guarded port where strangers do not; one finding for each rule."""
    for one in _known(targets):
        for port in one.guard.ports:
            given = [answer for source in NAMED for answer in met(answers, source, one.guard, port)]
            everyone = {
                way_of(answer)
                for source in strangers(targets)
                for answer in met(answers, source, one.guard, port)
                if answer.verdict in IN
            }
            grouped: dict[str, list[Answer]] = {}
            for answer in given:
                if answer.verdict in IN and way_of(answer) not in everyone:
                    grouped.setdefault(by_rules([answer]), []).append(answer)
            for rule, found in grouped.items():
                networks = {answers.named[answer.question.source]: None for answer in found}
                yield one.name, _finding(port, rule, tuple(networks), found, given)


def _finding(
    port: PortRange,
    rule: str,
    networks: Sequence[str],
    found: Sequence[Answer],
    given: Sequence[Answer],
) -> Finding:
    where, verb = asked_of(port, found, given), "reaches" if len(networks) == 1 else "reach"
    reached = f"{some(networks)} {verb} {where}{way(found, port)}{rule}"
    return Finding(Severity.ERROR, f"{reached}; not on an allowlist", _ADVICE)
