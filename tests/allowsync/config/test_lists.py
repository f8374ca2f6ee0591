"""The section `lists`, and hosts that name lists."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.config import json_schema, show
from allowsync.model.list_source import ListFormat, ListSource
from tests.support.configuring import ALLOWLISTS, loaded, problems

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = "hosts:\n  office: {lists: [office]}\n"
CONFIG = f"{HOSTS}{ALLOWLISTS}"
DIGEST = "0" * 64


def written(section: str, hosts: str = HOSTS) -> str:
    return f"{hosts}lists:\n{section}\n{ALLOWLISTS}"


def test_a_list_is_a_file_or_a_url(tmp_path: Path) -> None:
    section = (
        "  office: {file: office.txt}\n"
        "  drop:\n"
        "    url: https://www.example.net/drop.json?a=b\n"
        "    format: jsonlines\n    field: cidr\n    refresh: 1d\n    keep: 30d\n"
        "    max_networks: 2000\n"
        f"  fixed: {{url: 'http://192.0.2.1:8080/', sha256: '{DIGEST}', format: csv, field: 2}}"
    )
    config = loaded(tmp_path, written(section))
    assert config.lists == {
        "office": ListSource(file=tmp_path / "office.txt"),
        "drop": ListSource(
            url="https://www.example.net/drop.json?a=b",
            format=ListFormat.JSONLINES,
            field="cidr",
            refresh=timedelta(days=1),
            keep=timedelta(days=30),
            max_networks=2000,
        ),
        "fixed": ListSource(
            url="http://192.0.2.1:8080/", format=ListFormat.CSV, field="2", sha256=DIGEST
        ),
    }
    assert config.hosts["office"].lists == ("office",)
    assert config.lists_in_use == ("office",)
    assert config.lists["office"].every is None
    assert config.lists["fixed"].every == timedelta(hours=12)


def test_it_is_shown_as_it_is_written(tmp_path: Path) -> None:
    config = loaded(tmp_path, written("  office: {file: office.txt, refresh: 1d}"))
    shown = show(config)
    assert shown["hosts"]["office"]["lists"] == ["office"]
    assert "networks" not in shown["hosts"]["office"]
    assert shown["lists"]["office"]["file"] == str(tmp_path / "office.txt")
    assert shown["lists"]["office"]["refresh"] == "1d"


WRONG = {
    "neither": ("{}", "4: lists.office", "needs either a url or a file"),
    "both": ("{url: https://a.example, file: a}", "4: lists.office", "either a url or a file"),
    "clear text": ("{url: http://a.example}", "4: lists.office", "use https://, or add sha256"),
    "another scheme": ("{url: ftp://a.example}", "4: lists.office.url", "https:// URL"),
    "a password": ("{url: 'https://u:p@a.example'}", "4: lists.office.url", "https:// URL"),
    "too often": ("{url: https://a.example, refresh: 59m}", "4: lists.office", "at least an hour"),
    "ends before it is fetched": (
        "{url: https://a.example, keep: 6h}", "4: lists.office", "keep is shorter than refresh"),
    "a field of text": ("{file: a, field: b}", "4: lists.office", "text has none"),
    "no field": ("{file: a, format: csv}", "4: lists.office", "'field' is missing"),
    "an unknown format": ("{file: a, format: xml}", "4: lists.office.format", "got 'xml'"),
    "an unknown key": ("{file: a, fields: b}", "4: lists.office.fields", "did you mean 'field'"),
    "no digest": ("{file: a, sha256: abc}", "4: lists.office.sha256", "64 hexadecimal digits"),
}  # fmt: skip


@pytest.mark.parametrize("broken", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_at_its_line(tmp_path: Path, broken: tuple[str, str, str]) -> None:
    text, where, what = broken
    (problem,) = problems(tmp_path, written(f"  office: {text}"))
    assert problem.startswith(f"config.yaml:{where}: ")
    assert what in problem


def test_a_list_that_is_not_there_is_told_at_its_line(tmp_path: Path) -> None:
    hosts = "hosts:\n  office:\n    lists:\n      - office\n      - ofice\n"
    (problem,) = problems(tmp_path, written("  office: {file: a}", hosts))
    assert problem.startswith("config.yaml:5: hosts.office.lists: there is no list 'ofice'")
    assert "did you mean 'office'?" in problem


def test_without_the_section_there_are_none(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, CONFIG)
    assert problem.endswith("there is no list 'office'; in lists: none")


def test_names_of_lists_are_names(tmp_path: Path) -> None:
    hosts = "hosts:\n  office: {lists: [Office, {}]}\n"
    said = problems(tmp_path, written("  Office: {file: a}", hosts))
    assert [one.split(": ")[1] for one in said] == ["hosts.office.lists"] * 2 + ["lists.Office"]


def test_editors_know_it() -> None:
    schema = json_schema()["properties"]
    assert set(schema["lists"]["additionalProperties"]["properties"]) == set(ListSource.__fields__)
    (_, long_form) = schema["hosts"]["additionalProperties"]["anyOf"]
    assert {"required": ["lists"]} in long_form["anyOf"]
