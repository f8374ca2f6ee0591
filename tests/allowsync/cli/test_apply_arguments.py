"""Tests for the arguments of `allowsync apply`: click and the reader without click agree."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.cli.apply import apply
from allowsync.cli.apply_arguments import ApplyArguments, read_apply
from allowsync.cli.common import invocation_of
from allowsync.cli.options import values_in

WORDS = (
    *("--dry-run", "--force", "--offline", "--detailed-exitcode", "--quiet", "-q", "--no-color"),
    *("-v", "--verbose", "-vv", "-qv", "--config", "--state", "--only", "--output", "--log"),
    *("--config=/c.yaml", "--state=s.db", "--only=web", "--output=json", "--log=json", "--only="),
    *("text", "json", "xml", "web", "web/file", "/etc/allowsync/config.yaml", ".", "", "-"),
    *("--confirm", "--confirm=60s", "60s", "--help", "-h", "--", "--dry", "--unknown", "apply"),
    *("-n", "-nv", "--json", "--json=1"),
    *("--force=1", "-v=1", "--log=", "--config=-"),
)


@given(st.lists(st.sampled_from(WORDS), max_size=7))
def test_click_reads_the_same(words: list[str]) -> None:
    read = read_apply(["apply", *words])
    if read is not None:
        assert read == by_click(words)


@given(
    st.lists(
        st.sampled_from(
            (
                *(["--dry-run"], ["--force"], ["--offline"], ["-v"], ["-q"], ["--no-color"]),
                *(["--config", "/c.yaml"], ["--state=s.db"], ["--only", "web"], ["--only=a/b"]),
                *(["-n"], ["--json"]),
                *(["--output", "json"], ["--output=text"], ["--log=text"]),
            )
        ),
        max_size=6,
    )
)
def test_ordinary_arguments_need_no_click(options: list[list[str]]) -> None:
    words = [word for option in options for word in option]
    if {"--json", "json"} & set(words) and "--output=text" in words:
        assert read_apply(["apply", *words]) is None  # click says that they exclude each other
    else:
        assert read_apply(["apply", *words]) == by_click(words)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["status"],
        ["--help"],
        ["-v", "apply"],
        ["apply", "--help"],
        ["apply", "--confirm", "60s"],
        ["apply", "--detailed-exitcode"],
        ["apply", "--log", "json", "--output", "json"],
        ["apply", "web"],
        ["apply", "--config"],
        ["apply", "--output", "xml"],
        ["apply", "--output", "text", "--json"],
        ["apply", "--config", "a", "--config", "b"],
        ["apply", "--state=a", "--state=b"],
    ],
)
def test_all_else_is_left_to_click(words: list[str]) -> None:
    assert read_apply(words) is None


def test_completion_is_left_to_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ALLOWSYNC_COMPLETE", "bash_complete")
    assert read_apply(["apply"]) is None


def by_click(words: list[str]) -> ApplyArguments:
    """The same arguments, read by the options that click knows."""
    context = apply.make_context("apply", list(words))
    said = dict(context.params)
    assert said.pop("confirm") is None
    return ApplyArguments(invocation_of(*values_in(context)), **said)


def test_a_click_error_is_no_reading() -> None:
    with pytest.raises(click.UsageError):
        by_click(["--output", "xml"])
    assert by_click(["--config", "c"]).invocation.config == Path("c")
