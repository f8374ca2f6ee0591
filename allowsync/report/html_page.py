"""Who has access where, as one page that needs nothing else: no script, no file, no server.

Instants are absolute: a page that says *5 minutes ago* lies from the next minute on.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from allowsync import __version__
from allowsync.inspect.status import doubts, wrongs
from allowsync.model.networks import short
from allowsync.model.types import Basis
from allowsync.report.events import events
from allowsync.report.history import sign
from allowsync.report.html_markup import Html, joined, tag, trusted
from allowsync.report.html_style import CSS
from allowsync.report.html_timeline import SPAN, timeline
from allowsync.report.text import is_published
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from allowsync.inspect.status import AccessStatus, TargetStatus
    from allowsync.model.types import Entry, Grant
    from allowsync.policy.decision import Decision
    from allowsync.report.events import HistoryEvent
    from allowsync.state.history import Past

MOST_EVENTS = 50


def page(standing: AccessStatus, past: Past) -> str:
    """The whole page.

    Args:
        standing: Who is allowed where.
        past: What is on record of the last weeks.
    """
    content = joined(
        _top(standing),
        _wrong(standing),
        _hosts(standing),
        _targets(standing.targets),
        _timelines(standing, past),
        _events(events(past, standing.now - SPAN)),
    )
    head = tag("head", _metas(), tag("title", "allowsync: who has access"), _style())
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', tag('main', content)), lang='en')}\n"


def _metas() -> Iterator[Html]:
    """Nothing may be loaded, sent or run, and only this style sheet applies."""
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


def _time(at: datetime) -> Html:
    return tag("time", f"{at:%Y-%m-%d %H:%M} UTC", datetime=at.isoformat(timespec="seconds"))


def _top(standing: AccessStatus) -> Html:
    last = standing.last_run
    run = joined("no run is on record") if last is None else joined("Last run ", _time(last))
    written = joined(run, ". Written ", _time(standing.now), ".")
    fine = not any(wrongs(standing))
    said = "Everything is in sync." if fine else "Something is wrong."
    return joined(
        tag("h1", "Who has access"),
        tag("p", said, class_=f"verdict {'good' if fine else 'bad'}"),
        tag("p", written, class_="soft"),
    )


def _wrong(standing: AccessStatus) -> Html:
    found = list(wrongs(standing))
    if not found:
        return joined()
    items = [tag("li", tag("strong", f"{one.where}:"), f" {one.what}") for one in found]
    return tag("section", tag("h2", "What is wrong"), tag("ul", items), class_="wrong")


def _table(caption: str, columns: tuple[str, ...], rows: Iterable[Html]) -> Html:
    heads = [tag("th", one, scope="col", role="columnheader") for one in columns]
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", _row(heads), role="rowgroup"),
        tag("tbody", list(rows), role="rowgroup"),
        role="table",
    )


def _row(*cells: Html | list[Html]) -> Html:
    return tag("tr", *cells, role="row")


def _head(*content: str | Iterable[str], span: int | None = None) -> Html:
    rows = None if span is None else str(span)
    return tag("th", *content, scope="row", role="rowheader", rowspan=rows)


def _cell(*content: str | Iterable[str], style: str | None = None) -> Html:
    return tag("td", *content, role="cell", class_=style)


def _hosts(standing: AccessStatus) -> Html:
    decisions = standing.decisions.items()
    rows = [row for name, one in decisions for row in _host(one, name in standing.unclear)]
    return tag(
        "section",
        tag("h2", "Hosts"),
        _table("Who may come from where", ("Host", "Network", "State"), rows),
    )


def _host(decision: Decision, unclear: bool) -> Iterator[Html]:  # noqa: FBT001 - one caller
    host = decision.host
    sources = [name for name, _ in host.published]
    names = ", ".join((*host.hostnames, *sources)) or "fixed networks"
    name = joined(tag("div", host.name), tag("div", names, class_="soft"))
    cells = [*_published(decision), *_granted(decision)]
    if not cells:
        access = "access unknown" if unclear else "no access"
        why = "access has ended" if decision.ended else f"{access}: no address is known"
        why = decision.ending if host.revoked is not None else why
        cells = [joined(_cell("none"), _cell(why, style="warn"))]
    held_back = [tag("div", one, class_="warn") for one in doubts(decision)]
    head = _head(name, held_back, span=len(cells) if len(cells) > 1 else None)
    for place, pair in enumerate(cells):
        yield _row([] if place else [head], pair)


def _granted(decision: Decision) -> Iterator[Html]:
    for grant in decision.grants:
        if not is_published(grant):
            yield joined(_cell(short(grant.network), style="net"), _cell(_state(grant)))


def _published(decision: Decision) -> Iterator[Html]:
    """What a source publishes, in one row: there is much of it."""
    given = {one.network for one in decision.grants if is_published(one)}
    for name, networks in decision.host.published:
        count = len(given.intersection(networks))
        if count:
            what = f"{counted(count, 'network')} published by {name}"
            yield joined(_cell(what), _cell("fixed", style="good"))


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
    lines = [tag("div", word + why, class_=style), tag("div", "since ", _time(grant.since))]
    if grant.basis is Basis.STALE:
        lines.append(tag("div", "confirmed ", _time(grant.confirmed)))
    if grant.ends is not None:
        lines.append(tag("div", "ends ", _time(grant.ends)))
    return joined(lines)


def _targets(targets: tuple[TargetStatus, ...]) -> Html:
    rows = [_row(_head(one.target), _step(one), _cell(_entries(one))) for one in targets]
    return tag(
        "section",
        tag("h2", "Targets"),
        _table("What each target holds", ("Target", "State", "Entries"), rows),
    )


def _entries(target: TargetStatus) -> Html:
    lines = [tag("div", _entry(entry), class_="net") for entry in target.entries]
    return joined(lines or "none")


def _entry(entry: Entry) -> str:
    return short(entry.network) + (f" {', '.join(entry.hosts)}" if entry.hosts else "")


def _step(target: TargetStatus) -> Html:
    count = counted(len(target.entries), "entry", "entries")
    if target.in_step:
        return _cell(f"in sync ({count})", style="good")
    return _cell(f"out of sync ({count}): {target.reason}", style="bad")


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
        _row(_cell(_time(one.at)), _head(one.who), _cell(f"{sign(one)} {one.text}"))
        for one in reversed(worth)
    ]
    return tag(
        "section",
        tag("h2", "What changed"),
        _table("The latest first", ("When", "Who", "What"), rows),
    )
