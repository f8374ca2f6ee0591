"""The networks of each host over the last weeks, as bars."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import short
from allowsync.model.types import by_network
from allowsync.report.html_markup import Html, joined, tag

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from allowsync.model.types import Network
    from allowsync.state.history import AccessPeriod

SPAN: Final = timedelta(weeks=4)
MOST_ROWS: Final = 12  # networks of one host; a host that moves every day has more
WIDTH: Final = 1000  # units of the drawing, whatever its size on the screen
THINNEST: Final = 4  # keeps a period of one minute visible


def timeline(host: str, stays: Iterable[AccessPeriod], now: datetime) -> Html:
    """The bars of one host, a row for each network, the latest first; empty without any."""
    rows: dict[Network, list[AccessPeriod]] = {}
    for one in stays:
        if one.host == host and (one.ended is None or one.ended >= now - SPAN):
            rows.setdefault(one.network, []).append(one)
    latest = sorted(rows.items(), key=lambda row: (_newest(row[1], now), by_network(row[0])))
    if not latest:
        return joined()
    shown = [_row(network, found, now) for network, found in reversed(latest)]
    more = len(shown) - MOST_ROWS
    rest = tag("p", f"and {more} more", class_="soft") if more > 0 else joined()
    scale = tag(
        "div",
        tag("span", f"{now - SPAN:%Y-%m-%d}"),
        tag("span", f"{now:%Y-%m-%d}"),
        class_="scale",
    )
    return joined(tag("h3", host), shown[:MOST_ROWS], rest, scale)


def _newest(stays: list[AccessPeriod], now: datetime) -> datetime:
    return max(now if one.ended is None else one.ended for one in stays)


def _row(network: Network, stays: list[AccessPeriod], now: datetime) -> Html:
    spans = "; ".join(_span(one) for one in stays)
    name = tag("div", tag("span", short(network), class_="net"), " ", _latest(stays[-1]))
    bars = [_bar(one, now) for one in stays]
    drawing = tag(
        "svg",
        bars,
        viewBox=f"0 0 {WIDTH} 10",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{short(network)}: {spans}",
    )
    return tag("div", name, drawing, class_="row")


def _latest(stay: AccessPeriod) -> Html:
    if stay.ended is None:
        return tag("span", f"since {stay.began:%Y-%m-%d %H:%M} UTC", class_="soft")
    why = f": {stay.why}" if stay.why else ""
    return tag("span", f"until {stay.ended:%Y-%m-%d %H:%M} UTC{why}", class_="soft")


def _span(stay: AccessPeriod) -> str:
    ended = "now" if stay.ended is None else f"{stay.ended:%Y-%m-%d %H:%M}"
    return f"{stay.began:%Y-%m-%d %H:%M} to {ended}"


def _bar(stay: AccessPeriod, now: datetime) -> Html:
    left = _place(stay.began, now)
    right = WIDTH if stay.ended is None else _place(stay.ended, now)
    width = max(THINNEST, right - left)
    return tag(
        "rect",
        tag("title", _span(stay)),
        x=str(min(left, WIDTH - width)),
        y="0",
        width=str(width),
        height="10",
        class_="bar" if stay.ended is None else "past",
    )


def _place(at: datetime, now: datetime) -> int:
    return max(0, min(WIDTH, round((at - (now - SPAN)) / SPAN * WIDTH)))
