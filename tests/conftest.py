"""Fixtures for every test, and the rule that in CI nothing is skipped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


# Its assertions are written for whoever makes a backend: let them tell what differs.
pytest.register_assert_rewrite("allowsync.testing.contract")


@pytest.fixture
def as_root() -> None:
    """The test needs root: the real firewall, other people's files, network namespaces."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI, where everything that a test may need is there."""
    report = yield
    if os.environ.get("CI") and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing may be: {report.longrepr}"
    return report
