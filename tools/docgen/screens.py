"""Pictures of what the program shows: a dry run on a terminal, and the status page. Light and dark.

The dry run is the block of README, which a test holds to what such a run prints; the page is made
here, by what writes it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import escape
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from allowsync.inspect.status import AccessStatus, ScheduleFacts, TargetStatus
from allowsync.model.types import Basis, Entry, Grant, Host
from allowsync.policy.decision import Decision
from allowsync.report.html_page import page
from allowsync.report.html_style import CSS
from allowsync.state.history import Past
from allowsync.state.records import RecordedRun

ROOT: Final = Path(__file__).resolve().parents[2]
NOW: Final = datetime(2026, 11, 20, 15, 10, tzinfo=UTC)
_SIGNS: Final = {"+": "good", "-": "bad", "!": "warn", "~": "warn"}
_STYLE: Final = (
    "rect{fill:#fff;stroke:#d0d7de}text{font:13px ui-monospace,monospace;fill:#1b1f24;"
    "white-space:pre}.good{fill:#116329}.bad{fill:#a40e26}.warn{fill:#7d4e00}"
    "@media(prefers-color-scheme:dark){rect{fill:#0d1117;stroke:#30363d}text{fill:#e6edf3}"
    ".good{fill:#56d364}.bad{fill:#ff8182}.warn{fill:#e3b341}}"
)
_LINE: Final = 19
_WIDTH: Final = 900
_PAGE: Final = (1000, 870)


def dry_run_picture() -> str:
    """The dry run that README begins with, as a terminal shows it."""
    readme = (ROOT / "README.md").read_text()
    block = readme.partition("```console\n")[2].partition("```")[0]
    lines = block.rstrip().splitlines()
    texts = [
        f'<text class="{_SIGNS.get(line.strip()[:1], "") if line[:2] == "  " else ""}" '
        f'x="16" y="{_LINE * number + 28}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]
    height = _LINE * len(lines) + 28
    box = f'<rect x="1" y="1" width="{_WIDTH - 2}" height="{height - 2}" rx="8"/>'
    return _svg(_WIDTH, height, "A dry run in a terminal", f"<style>{_STYLE}</style>", box, *texts)


def status_picture() -> str:
    """The page of `status --html` on a day when the name server of a friend is silent."""
    body = re.search(r"<main>.*</main>", page(standing(), Past()), re.DOTALL)
    assert body is not None  # noqa: S101 - the page has one
    style = CSS.replace(":root", ".page").replace("body {", ".page {")
    box = (
        f'<foreignObject width="{_PAGE[0]}" height="{_PAGE[1]}">'
        f'<div xmlns="http://www.w3.org/1999/xhtml" class="page">{body[0]}</div></foreignObject>'
    )
    return _svg(*_PAGE, "The status page", f"<style>{style}</style>", box)


def standing() -> AccessStatus:
    """Alice has moved, the parents' name server is silent, the office is where it always is."""
    alice = (
        _grant("alice", "203.0.113.7/32", Basis.FRESH, 1),
        _grant("alice", "2001:db8:7:1::/64", Basis.FRESH, 9),
    )
    parents = _grant("parents", "198.51.100.9/32", Basis.STALE, 20, why="SERVFAIL")
    office = _grant("office", "192.0.2.0/24", Basis.FIXED, 27)
    grants = (*alice, parents, office)
    decisions = {
        name: Decision(
            Host(name, hostnames=names), grants=tuple(one for one in grants if one.host == name)
        )
        for name, names in (
            ("alice", ("alice.duckdns.org",)),
            ("parents", ("parents.example.org",)),
            ("office", ()),
        )
    }
    entries = tuple(Entry(one.network, (one.host,)) for one in grants)
    last = NOW - timedelta(minutes=2)
    return AccessStatus(
        NOW,
        last,
        decisions,
        (TargetStatus("jellyfin/nftables", in_step=True, entries=entries),),
        (),
        latest=RecordedRun(last, 3, 0.4),
        schedule=ScheduleFacts("systemd", NOW + timedelta(minutes=3), timedelta(minutes=5)),
    )


def _grant(host: str, network: str, basis: Basis, days: int, why: str = "") -> Grant:
    since = NOW - timedelta(days=days)
    silent = basis is Basis.STALE
    confirmed = NOW - timedelta(minutes=55 if silent else 2)
    ends = confirmed + timedelta(days=3) if silent else None
    return Grant(host, ip_network(network), basis, since, confirmed, ends, "", why)


def _svg(width: int, height: int, title: str, *parts: str) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="title">\n<title id="title">{title}</title>'
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"
