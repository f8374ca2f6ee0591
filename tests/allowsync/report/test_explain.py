"""An explanation as people and programs read it: whole texts, 80 columns wide."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest

from allowsync.inspect.access_at import AccessAt, HostAccess
from allowsync.inspect.explain import AccessVerdict, Explanation, TargetAnswer
from allowsync.model.types import Basis
from allowsync.report.explain import explain_document, explain_lines
from tests.support.terminal import output_on_terminal
from tests.support.values import HOME, NAME, T0, entry, net

HOUR = timedelta(hours=1)
WEB, SSH = "web/file", "ssh/nftables"
WIDE = entry("81.2.69.0/24", "office")
FRESH = HostAccess(
    "alice", net(HOME), NAME, Basis.FRESH, T0 - HOUR, None, "fresh, confirmed 0 s ago"
)
NOW = AccessAt(T0, T0, (), (), past=False)
THEN = replace(NOW, past=True)
YES = TargetAnswer(WEB, AccessVerdict.YES, (entry(HOME, "alice"), WIDE))
NO = TargetAnswer(SSH, AccessVerdict.NO, (), "alice is not among the hosts of ssh")


def answer(
    *places: TargetAnswer, scene: AccessAt = NOW, accesses: tuple[HostAccess, ...] = ()
) -> Explanation:
    return Explanation(HOME, None, net(HOME), scene, places, accesses)


def text(one: Explanation) -> list[str]:
    return [line.text for line in explain_lines(one)]


@output_on_terminal(80)
def test_the_answer_comes_first_then_where_then_through_whom() -> None:
    ending = replace(FRESH, until=T0 + 2 * HOUR)
    whole = replace(answer(YES, NO, accesses=(ending,)), reasons=("and " * 25 + "so on",))
    assert text(whole) == [
        "81.2.69.1 is allowed at 1 of 2 targets",
        "  web/file      allowed by 81.2.69.1 (alice), the wider entry 81.2.69.0/24",
        "                (office)",
        "  ssh/nftables  not allowed: alice is not among the hosts of ssh",
        "alice: 81.2.69.1 through alice.example.org, since 2026-11-20 14:00 UTC, fresh,",
        "    confirmed 0 s ago, expires in 2 h",
        "- and and and and and and and and and and and and and and and and and and and",
        "  and and and and and and so on",
    ]
    assert [line.colour for line in explain_lines(whole)][:4] == ["green", "green", "green", "red"]


@output_on_terminal(80)
def test_a_gate_that_is_passed_through_a_cdn_counts_as_no_target() -> None:
    said = "it admits cloudflare, which alice can come through"
    gate = TargetAnswer("origin/ufw", AccessVerdict.NO, (), said, "cloudflare")
    assert text(answer(YES, gate)) == [
        "81.2.69.1 is allowed at each layer",
        "  web/file    allowed by 81.2.69.1 (alice), the wider entry 81.2.69.0/24",
        "              (office)",
        "  origin/ufw  through cloudflare: it admits cloudflare, which alice can come",
        "              through",
    ]
    assert text(answer(YES, NO, gate))[0] == "81.2.69.1 is allowed at 1 of 2 targets"
    assert [line.colour for line in explain_lines(answer(YES, gate))][3] == "green"


@pytest.mark.parametrize(
    ("verdict", "now", "then"),
    [
        (AccessVerdict.YES, "is allowed", "was allowed on 2026-11-20 15:00:00 UTC"),
        (
            AccessVerdict.PARTLY,
            "is allowed in part",
            "was allowed in part on 2026-11-20 15:00:00 UTC",
        ),
        (AccessVerdict.NO, "is not allowed", "was not allowed on 2026-11-20 15:00:00 UTC"),
    ],
)
def test_the_past_is_told_as_the_past(verdict: AccessVerdict, now: str, then: str) -> None:
    place = TargetAnswer(WEB, verdict)
    assert text(answer(place))[0] == f"{HOME} {now}"
    assert text(answer(place, scene=THEN))[0] == f"{HOME} {then}"


def test_what_cannot_be_told_is_said_to_be() -> None:
    blind = TargetAnswer(WEB, AccessVerdict.UNKNOWN, said="no nft")
    assert text(answer(blind)) == [f"{HOME}: unknown", "  web/file  unknown: no nft"]
    assert text(answer(blind, scene=THEN))[0] == f"{HOME}: unknown whether it was allowed"


def test_a_host_is_told_by_how_it_was_asked_for() -> None:
    by_name = replace(answer(YES), asked=NAME, host="alice", network=None)
    assert text(by_name) == [
        f"{NAME} is allowed",
        "  web/file  allowed by 81.2.69.1 (alice), 81.2.69.0/24 (office)",
    ]


def test_an_entry_that_does_not_let_it_in_is_not_named() -> None:
    partly = TargetAnswer(WEB, AccessVerdict.NO, (entry(HOME, "alice"),))
    assert text(answer(partly))[1] == "  web/file  not allowed"


@output_on_terminal(80)
def test_an_access_of_the_past_is_told_until_when_and_why_it_ended() -> None:
    over = replace(FRESH, basis=None, until=T0 + HOUR, said="moved")
    lines = [text(answer(YES, scene=THEN, accesses=(one,)))[2:] for one in (
        over, replace(over, said=""), replace(over, until=None))]  # fmt: skip
    first = "alice: 81.2.69.1 through alice.example.org, since 2026-11-20 14:00 UTC"
    assert lines == [
        [f"{first}, until", "    2026-11-20 16:00 UTC (moved)"],
        [f"{first}, until", "    2026-11-20 16:00 UTC"],
        [first],
    ]


@pytest.mark.parametrize(
    ("basis", "how"),
    [
        (Basis.FIXED, "fixed in the configuration"),
        (Basis.GRANTED, "granted by command"),
        (None, "fixed or granted by command"),
    ],
)
def test_where_no_name_gave_a_network_it_is_said_what_did(basis: Basis | None, how: str) -> None:
    fixed = replace(FRESH, hostname="", basis=basis, said="")
    assert text(answer(YES, accesses=(fixed,)))[2:] == [
        f"alice: 81.2.69.1, {how}, since 2026-11-20 14:00 UTC"
    ]


def test_the_document_is_as_promised() -> None:
    asked = replace(
        answer(TargetAnswer(WEB, AccessVerdict.PARTLY, (entry(HOME, "alice"),), "a doubt"), NO),
        asked="81.2.69.0/24",
        network=ip_network("81.2.69.0/24"),
        accesses=(replace(FRESH, until=T0),),
        reasons=("why",),
    )
    document = explain_document(asked, 0)
    assert document == {
        "schema": "allowsync.explain/1",
        "exit_code": 0,
        "asked": "81.2.69.0/24",
        "host": None,
        "network": "81.2.69.0/24",
        "at": "2026-11-20T15:00:00+00:00",
        "past": False,
        "last_run": "2026-11-20T15:00:00+00:00",
        "allowed": "partly",
        "targets": [
            {
                "target": WEB,
                "allowed": "partly",
                "entries": [{"network": f"{HOME}/32", "hosts": ["alice"]}],
                "reason": "a doubt",
            },
            {"target": SSH, "allowed": "no", "entries": [], "reason": NO.said},
        ],
        "access": [
            {
                "host": "alice",
                "network": f"{HOME}/32",
                "hostname": NAME,
                "basis": "fresh",
                "since": "2026-11-20T14:00:00+00:00",
                "until": "2026-11-20T15:00:00+00:00",
                "said": "fresh, confirmed 0 s ago",
            }
        ],
        "reasons": ["why"],
        "open": [],
        "packets": [],
        "problems": [],
    }


def test_what_is_not_known_is_null() -> None:
    early = replace(THEN, run=None)
    bare = replace(FRESH, hostname="", basis=None, said="")
    document = explain_document(
        replace(
            answer(TargetAnswer(WEB, AccessVerdict.NO), scene=early, accesses=(bare,)), network=None
        ),
        1,
    )
    (access,) = document["access"]
    assert (document["network"], document["last_run"], document["past"]) == (None, None, True)
    assert [access[key] for key in ("hostname", "basis", "until", "said")] == [None] * 4
    assert document["targets"][0]["reason"] is None
