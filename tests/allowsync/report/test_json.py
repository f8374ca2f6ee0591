"""A run as JSON: field names are a promise."""

from __future__ import annotations

import json
from datetime import timedelta

from allowsync.inspect.host_use import HostUse
from allowsync.inspect.status import AccessStatus, TargetStatus
from allowsync.model.outcome import ExitCode, Notice, Outcome
from allowsync.model.plan import Plan
from allowsync.model.types import Entry
from allowsync.model.value import replace
from allowsync.plan.result import RunReport, TargetReport
from allowsync.report.json import run_document, status_document, stopped_document
from tests.support.values import (
    GONE,
    HOME,
    HOME6,
    SERVFAIL,
    T0,
    V4,
    V6,
    Life,
    entry,
    found,
    host,
    net,
)  # fmt: skip


def test_a_run_is_told_as_promised() -> None:
    life = Life(host(families=(V4, V6)))
    life.run(found(HOME, "10.0.0.1"), GONE)
    plan = Plan(
        "web/memory",
        add=(entry(HOME, "alice"),),
        keep=(entry("9.9.9.9", "bob"),),
        withheld=(Entry(net(HOME6)),),
    )
    target = TargetReport("web/memory", "web", Outcome.APPLIED, plan)
    notice = Notice("clock", "went backwards")
    report = RunReport(T0, 0.21049, False, False, {"alice": life.decision}, (target,), (notice,))
    document = run_document(report, ExitCode.IN_STEP)
    assert json.loads(json.dumps(document)) == document
    assert document == {
        "schema": "allowsync.run/1",
        "dry_run": False,
        "offline": False,
        "started": "2026-11-20T15:00:00+00:00",
        "seconds": 0.21,
        "exit_code": 0,
        "hosts": [
            {
                "host": "alice",
                "undecided": False,
                "ended": False,
                "queries": [
                    {
                        "hostname": "alice.example.org",
                        "family": "ipv4",
                        "answer": "found",
                        "addresses": [HOME],
                        "reason": None,
                        "ttl": 60,
                        "suspicious": False,
                        "rejected": [
                            {
                                "address": "10.0.0.1",
                                "reason": life.decision.judged[0].rejected[0].reason,
                            }
                        ],
                    },
                    {
                        "hostname": "alice.example.org",
                        "family": "ipv6",
                        "answer": "absent",
                        "addresses": [],
                        "reason": "NXDOMAIN",
                        "ttl": None,
                        "suspicious": False,
                        "rejected": [],
                    },
                ],
                "sources": [],
                "grants": [
                    {
                        "network": f"{HOME}/32",
                        "basis": "fresh",
                        "since": "2026-11-20T15:00:00+00:00",
                        "confirmed": "2026-11-20T15:00:00+00:00",
                        "ends": None,
                        "hostname": "alice.example.org",
                        "reason": None,
                    }
                ],
            }
        ],
        "targets": [
            {
                "target": "web/memory",
                "outcome": "applied",
                "add": [{"network": f"{HOME}/32", "hosts": ["alice"]}],
                "remove": [],
                "withheld": [{"network": f"{HOME6}/128", "hosts": []}],
                "keep": 1,
                "repair": [],
                "unfit": [],
                "ineffective": [],
                "reason": None,
            }
        ],
        "problems": [{"where": "clock", "what": "went backwards"}],
    }


def test_a_suspicious_answer_and_a_stale_grant_are_told() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(found("127.0.0.1"))
    report = RunReport(T0, 0.1, True, False, {"alice": life.decision}, ())
    (told,) = run_document(report, ExitCode.OLD_KNOWLEDGE)["hosts"]
    (query,) = told["queries"]
    assert (query["answer"], query["suspicious"], query["addresses"]) == ("unavailable", True, [])
    assert query["rejected"][0]["address"] == "127.0.0.1"
    assert told["grants"][0]["ends"] == "2026-11-23T15:00:00+00:00"
    assert "127.0.0.1" in told["grants"][0]["reason"]


def test_a_target_that_could_not_be_read_still_has_every_field() -> None:
    failed = TargetReport("web/x", "web", Outcome.FAILED, reason="could not be read")
    (told,) = run_document(RunReport(T0, 0.1, True, False, {}, (failed,)), ExitCode.FAILED)[
        "targets"
    ]
    assert (told["outcome"], told["add"], told["keep"]) == ("failed", [], 0)
    assert told["reason"] == "could not be read"


def test_a_run_that_did_not_happen_holds_nothing_but_why() -> None:
    assert stopped_document("allowsync.run/1", ExitCode.USAGE, [Notice("x.yaml:3: a", "bad")]) == {
        "schema": "allowsync.run/1",
        "exit_code": 2,
        "problems": [{"where": "x.yaml:3: a", "what": "bad"}],
    }


def test_a_status_tells_grants_and_entries() -> None:
    life = Life(host(until=T0 + timedelta(days=9)))
    life.run(found(HOME))
    life.run(SERVFAIL)
    target = TargetStatus("web/x", False, (entry(HOME, "alice"),), "1 to add")
    standing = AccessStatus(life.instant, T0, {"alice": life.decision}, (target,), ())
    unknown: dict[str, object] = {
        "seen": None,
        "counted_since": None,
        "seen_with": [],
        "uncounted": [],
    }
    (told,) = status_document(standing, ExitCode.FAILED)["hosts"]
    assert {key: told[key] for key in unknown} == unknown
    use = HostUse(T0, life.instant, ("bob",), ("web/file",))
    document = status_document(replace(standing, uses={"alice": use}), ExitCode.FAILED)
    assert document["schema"] == "allowsync.status/1"
    assert document["last_run"] == "2026-11-20T15:00:00+00:00"
    (told,) = document["hosts"]
    assert told["grants"][0]["basis"] == "stale"
    assert {key: told[key] for key in unknown} == {
        "seen": "2026-11-20T15:05:00+00:00",
        "counted_since": "2026-11-20T15:00:00+00:00",
        "seen_with": ["bob"],
        "uncounted": ["web/file"],
    }
    assert (told["hostnames"], told["until"]) == (
        ["alice.example.org"], "2026-11-29T15:00:00+00:00",
    )  # fmt: skip
    assert document["targets"] == [
        {
            "target": "web/x",
            "in_step": False,
            "state": "out_of_sync",
            "open": [],
            "verified": "2026-11-20T15:05:00+00:00",
            "failing": None,
            "entries": [{"network": f"{HOME}/32", "hosts": ["alice"]}],
            "reason": "1 to add",
        }
    ]
    assert document["findings"] == [
        {"severity": "error", "where": "web/x", "what": "out of sync: 1 to add"},
        {
            "severity": "warning",
            "where": "alice",
            "what": "using the last known address (SERVFAIL); expires in 3 d",
        },
    ]
