"""The alert rules and the dashboard ask for nothing that the metrics do not tell."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from allowsync.model.fleet import FleetReport, SharedList
from allowsync.model.value import replace
from allowsync.notify.prometheus import gauges, text
from tests.support.documents import ROOT
from tests.support.values import SERVFAIL
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "examples" / "monitoring"
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
GRID = 24  # columns of a Grafana dashboard


@pytest.fixture
def labels(tmp_path: Path) -> dict[str, set[str]]:
    """Every metric there is, with its labels."""
    world = World(tmp_path)
    world.run()
    world.says["alice.example.org"] = SERVFAIL
    report = world.run()
    web = SharedList("web", publishes=False, epoch=1, sequence=7, decided=report.started)
    report = replace(report, fleet=FleetReport("home", leads=True, leader="", lists=(web,)))
    told = text(gauges(report, report.exit_code, report.started))
    return {one.name: set(one.samples[0].labels) for one in text_string_to_metric_families(told)}


def expressions() -> list[str]:
    asked = [one["expr"] for panel in PANELS for one in panel["targets"]]
    variables = DASHBOARD["templating"]["list"]
    asked += [one["query"]["query"] for one in variables if one["type"] == "query"]
    return [*asked, *(rule["expr"] for rule in RULES)]


def names(expression: str) -> set[str]:
    return set(re.findall(r"\ballowsync_\w+", expression))


def test_whatever_is_asked_for_is_told(labels: dict[str, set[str]]) -> None:
    for expression in expressions():
        assert names(expression), expression
        assert names(expression) <= labels.keys(), expression


def test_everything_that_is_told_is_in_the_documentation(labels: dict[str, set[str]]) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    documented = set(re.findall(r"^\| `(allowsync_\w+)", page, re.MULTILINE))
    assert documented == labels.keys()


def test_rules_and_panels_name_labels_that_are_there(labels: dict[str, set[str]]) -> None:
    from_prometheus = {"instance", "job"}
    for rule in RULES:
        used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        (name,) = names(rule["expr"])
        assert used <= labels[name] | from_prometheus, rule["alert"]
    for panel in PANELS:
        (target,) = panel["targets"]
        used = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        (name,) = names(target["expr"])
        assert used <= labels[name] | from_prometheus, panel["title"]


def test_every_alert_says_what_it_is_and_waits_a_while() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["alert"].startswith("Allowsync")
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_the_panels_have_names_of_their_own_and_lie_beside_each_other() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (place["x"] + column, place["y"] + row)
            for column in range(place["w"])
            for row in range(place["h"])
        }
        assert taken.isdisjoint(cells), panel["title"]
        assert max(column for column, _ in cells) < GRID
        taken |= cells
        assert panel["title"]
        assert panel["type"] in ("stat", "timeseries", "bargauge")
