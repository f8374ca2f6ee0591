"""The status as one self-contained page: no script, no file, no server.

Instants are absolute: "5 minutes ago" would be wrong from the next minute on.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from allowsync import __version__
from allowsync.inspect.status_problems import doubts, locked_out, problems, revoked_here
from allowsync.model.networks import short
from allowsync.model.types import Basis
from allowsync.report.events import events
from allowsync.report.history import sign
from allowsync.report.html_markup import Html, cell, head, joined, row, table, tag, time, trusted
from allowsync.report.html_style import CSS
from allowsync.report.html_targets import denied, left_over, targets
from allowsync.report.html_timeline import SPAN, timeline
from allowsync.report.text import is_published, run_result
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.inspect.status import AccessStatus, ScheduleFacts
    from allowsync.model.types import Grant
    from allowsync.policy.decision import Decision
    from allowsync.report.events import HistoryEvent
    from allowsync.state.history import Past

MOST_EVENTS = 50


def page(standing: AccessStatus, past: Past) -> str:
    """The whole page.

    Args:
        standing: The status of hosts and targets.
        past: The history of the last weeks.
    """
    content = joined(
        _top(standing),
        _wrong(standing),
        _hosts(standing),
        _revoked(standing),
        targets(standing),
        denied(standing),
        left_over(standing),
        _timelines(standing, past),
        _events(events(past, standing.now - SPAN)),
    )
    head = tag("head", _metas(), tag("title", "allowsync: who has access"), _style())
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', tag('main', content)), lang='en')}\n"


def _metas() -> Iterator[Html]:
    """Yield meta elements that forbid loading, sending, scripts and all other styles."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    yield tag("meta", charset="utf-8")
    yield trusted(
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
    )
    yield tag("meta", name="viewport", content="width=device-width, initial-scale=1")
    yield tag("meta", name="referrer", content="no-referrer")
    yield tag("meta", name="robots", content="noindex, nofollow")
    yield tag("meta", name="generator", content=f"allowsync {__version__}")
    yield tag("link", rel="icon", href="data:,")


def _style() -> Html:
    return tag("style", trusted(CSS))


def _top(standing: AccessStatus) -> Html:
    last = standing.last_run
    run = joined("No run is on record")
    if last is not None:
        result = "" if standing.latest is None else f": {run_result(standing.latest)}"
        run = joined("Last run ", time(last), result)
    written = joined(run, ". Written ", time(standing.now), ".")
    style, said = _verdict(standing)
    return joined(
        tag("h1", "Who has access"),
        tag("p", said, class_=f"verdict {style}"),
        tag("p", written, class_="soft"),
        _schedule(standing.schedule),
    )


def _verdict(standing: AccessStatus) -> tuple[str, str]:
    """The overall status: red for failures and locked-out hosts, amber for other problems."""
    found = problems(standing)
    if any(one.broken for one in found) or locked_out(standing):
        return "bad", "Something is wrong."
    if any(one.basis is Basis.STALE for each in standing.decisions.values() for one in each.grants):
        return "warn", "In sync, using last known addresses."
    if found:
        return "warn", "In sync, with warnings."
    return "good", "Everything is in sync."


def _schedule(schedule: ScheduleFacts | None) -> Html:
    if schedule is None:
        return joined()
    if schedule.trouble:
        return tag("p", f"{schedule.trouble[0].upper()}{schedule.trouble[1:]}.", class_="warn")
    if schedule.next_run is None:
        return tag("p", f"Runs are started by {schedule.scheduler}.", class_="soft")
    return tag(
        "p", "Next run ", time(schedule.next_run), f", by {schedule.scheduler}.", class_="soft"
    )


def _wrong(standing: AccessStatus) -> Html:
    found = problems(standing)
    if not found:
        return joined()
    bad = _verdict(standing)[0] == "bad"
    out = locked_out(standing)
    items = [
        tag(
            "li",
            tag(
                "strong",
                f"{one.where}:",
                class_="bad" if one.broken or one.where in out else "warn",
            ),
            f" {one.what}",
        )
        for one in found
    ]
    heading = "What is wrong" if bad else "What to know"
    return tag("section", tag("h2", heading), tag("ul", items), class_="wrong" if bad else "known")


def _hosts(standing: AccessStatus) -> Html:
    decisions = standing.decisions.items()
    rows = [row for name, one in decisions for row in _host(one, standing, _used(standing, name))]
    return tag(
        "section",
        tag("h2", "Hosts"),
        table("Networks with access", ("Host", "Network", "State"), rows),
    )


def _used(standing: AccessStatus, name: str) -> Html:
    """The time of a host's last packet; empty if it is not counted."""
    use = standing.uses.get(name)
    if use is None:
        return joined()
    if use.at is not None:
        return tag("div", "last packet ", time(use.at), class_="soft")
    if use.since is not None:
        return tag("div", "never used since ", time(use.since), class_="soft")
    return joined()


def _host(decision: Decision, standing: AccessStatus, used: Html) -> Iterator[Html]:
    host, unclear = decision.host, decision.host.name in standing.unclear
    sources = [name for name, _ in host.published]
    names = ", ".join((*host.hostnames, *sources)) or "fixed networks"
    name = joined(tag("div", host.name), tag("div", names, class_="soft"), used)
    cells = [*_published(decision), *_granted(decision)]
    if not cells:
        access = "access unknown" if unclear else "no access"
        why = "access has ended" if decision.ended else f"{access}: no address is known"
        why = decision.ending if host.revoked is not None else revoked_here(decision) or why
        out = not (unclear or decision.ended or revoked_here(decision))
        cells = [joined(cell("none"), cell(why, style="bad" if out else "warn"))]
    held_back = [tag("div", one, class_="warn") for one in doubts(decision, standing.now)]
    named = head(name, held_back, span=len(cells) if len(cells) > 1 else None)
    for place, pair in enumerate(cells):
        yield row([] if place else [named], pair)


def _granted(decision: Decision) -> Iterator[Html]:
    for grant in decision.grants:
        if not is_published(grant):
            yield joined(cell(short(grant.network), style="net"), cell(_state(grant)))


def _published(decision: Decision) -> Iterator[Html]:
    """A row per source, with the number of its published networks."""
    given = {one.network for one in decision.grants if is_published(one)}
    for name, networks in decision.host.published:
        count = len(given.intersection(networks))
        if count:
            what = f"{counted(count, 'network')} published by {name}"
            yield joined(cell(what), cell("fixed", style="good"))


_BASES = {
    Basis.FRESH: ("good", "fresh"),
    Basis.STALE: ("warn", "stale"),
    Basis.REPLACED: ("soft", "replaced by another"),
    Basis.FORMER: ("warn", "given by a former name"),
    Basis.FIXED: ("good", "fixed"),
    Basis.GRANTED: ("good", "granted by command"),
}


def _state(grant: Grant) -> Html:
    style, word = _BASES[grant.basis]
    why = f" ({grant.why})" if grant.why else ""
    lines = [tag("div", word + why, class_=style), tag("div", "since ", time(grant.since))]
    if grant.basis is Basis.STALE:
        lines.append(tag("div", "confirmed ", time(grant.confirmed)))
    if grant.ends is not None:
        lines.append(tag("div", "expires ", time(grant.ends)))
    return joined(lines)


def _revoked(standing: AccessStatus) -> Html:
    """Revoked networks and labels that are not among the hosts."""
    others = [one for one in standing.revocations if one.subject not in standing.decisions]
    if not others:
        return joined()
    rows = [row(head(one.subject), cell(time(one.at))) for one in others]
    what = "No access whatever the DNS says, until approved"
    return tag("section", tag("h2", "Revoked"), table(what, ("What", "Since"), rows))


def _timelines(standing: AccessStatus, past: Past) -> Html:
    gone = sorted({one.host for one in past.stays} - standing.decisions.keys())
    drawn = [timeline(one, past.stays, standing.now) for one in (*standing.decisions, *gone)]
    return (
        tag("section", tag("h2", f"The last {SPAN.days} days"), drawn) if any(drawn) else joined()
    )


def _events(happened: list[HistoryEvent]) -> Html:
    worth = [one for one in happened if one.what != "answer"][-MOST_EVENTS:]
    if not worth:
        return joined()
    rows = [
        row(cell(time(one.at)), head(one.who), cell(f"{sign(one)} {one.text}"))
        for one in reversed(worth)
    ]
    return tag(
        "section",
        tag("h2", "What changed"),
        table("The latest first", ("When", "Who", "What"), rows),
    )
