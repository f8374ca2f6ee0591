"""What the guide tells of the clocks is what they do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.memory import HostMemory
from allowsync.model.types import Family, Host, Policy
from allowsync.policy.clock import Now
from allowsync.policy.decision import decide
from tests.support.documents import ROOT

DAY = datetime(2026, 11, 20, tzinfo=UTC)
BETWEEN_RUNS = timedelta(minutes=5)
ALICE = Host(
    "alice",
    ("alice.example.net",),
    families=(Family.IPV4,),
    policy=Policy(accept=(IPv4Network("198.51.100.0/24"), IPv4Network("203.0.113.0/24"))),
)


class Row(NamedTuple):
    at: datetime
    answer: Answer
    allowed: set[str]


def rows() -> list[Row]:
    """The worked timeline: time, what the DNS says, where Alice may come from."""
    guide = (ROOT / "docs/guide.md").read_text()
    section = guide.partition("### A worked timeline")[2].partition("\n#")[0]
    cells = re.findall(r"^\| (\d\d):(\d\d) \| (.+?) \| (.+?) \|", section, re.MULTILINE)
    return [
        Row(
            DAY + timedelta(hours=int(hour), minutes=int(minute)),
            answer(said),
            set(re.findall(r"`([\d.]+)`", allowed)),
        )
        for hour, minute, said, allowed in cells
    ]


def answer(said: str) -> Answer:
    if said == "NXDOMAIN":
        return Absent(said)
    if said == "SERVFAIL":
        return Unavailable(said)
    return Found((IPv4Address(said.strip("`")),), 60)


def test_the_worked_timeline_of_the_guide_is_what_happens() -> None:
    timeline = rows()
    assert len(timeline) >= 10
    (question,) = ALICE.queries
    memory, instant = HostMemory(), timeline[0].at
    for row, following in zip(timeline, [*timeline[1:], None], strict=True):
        end = following.at if following else row.at + BETWEEN_RUNS
        while instant < end:
            decision = decide(ALICE, {question: row.answer}, memory, Now(instant))
            allowed = {str(grant.network.network_address) for grant in decision.grants}
            assert allowed == row.allowed, instant
            memory, instant = decision.memory, instant + BETWEEN_RUNS
