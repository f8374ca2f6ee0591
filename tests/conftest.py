"""Fixtures for every test, the rule that in CI nothing is skipped, and the scoreboard."""

from __future__ import annotations

import gc
import os
import signal
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support import leftovers, order, sampling, scoreboard, speeds

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.terminal import TerminalReporter


# The same examples every time in CI, new ones everywhere else. Mutation has a way of its own.
settings.register_profile("here", deadline=None, max_examples=sampling.share(100, 40))
settings.register_profile(
    "in CI", settings.get_profile("here"), derandomize=True, database=None, print_blob=True
)
if settings.get_current_profile_name() != "mutation":
    settings.load_profile("in CI" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def as_root() -> None:
    """The test needs root: the real firewall, other people's files, network namespaces.

    It comes before all else that a test uses, so nothing is tried without.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root")


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach the programs that tests start: a job in the background ignores it.

    What runs leave until the next restart is gone with the tests.
    """
    left = TemporaryDirectory(prefix="run-")
    config.add_cleanup(left.cleanup)
    os.environ["RUNTIME_DIRECTORY"] = left.name
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage meanwhile: ten thousand tests are made, and none of them goes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what `make test-fast` leaves out: `io` and `root`, `slow` being said by hand."""
    asked = "io" in config.option.markexpr  # finding that out takes seconds
    for item in items:
        if asked and speeds.does_io(item):
            item.add_marker("io")
        if "as_root" in getattr(item, "fixturenames", ()):
            item.add_marker("root")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin with what is long; look for garbage more seldom, and not among ten thousand tests."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    session.items[:] = order.longest_first(session.items, processes)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let what a failed test left open be no other one's failure."""
    done = yield
    if item.stash.get(_FAILED, False):
        leftovers.forget_failure()
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the figures of a test to its report, and turn a skip into a failure in CI.

    In CI everything that a test may need is there. The keywords of a test are most of what a
    report of pytest-xdist carries, and read where one is skipped.
    """
    report = yield
    if report.passed:
        report.keywords = {}
    if report.when == "call":
        figures = scoreboard.taken()
        report.user_properties += [(scoreboard.PROPERTY, one) for one in figures]
    if os.environ.get("CI") and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing may be: {report.longrepr}"
    if report.failed:
        item.stash[_FAILED] = True
    return report


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what all tests recorded together, and keep it."""
    kept = (
        one for report in terminalreporter.stats.get("passed", ()) for one in report.user_properties
    )
    rows = scoreboard.added_up(value for name, value in kept if name == scoreboard.PROPERTY)
    if rows:
        terminalreporter.section("scoreboard")
        for line in scoreboard.table(rows):
            terminalreporter.write_line(line)
        scoreboard.kept(rows)
