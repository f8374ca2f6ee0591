"""What a run with nothing to do imports, 288 times a day on small machines, and what a check."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.bench.place import Place, place

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

MOST_OF_OURS: Final = 85  # as reached; the goal is 70
DEAR: Final = (
    *("asyncio", "click", "dataclasses", "dns", "hashlib", "httpx", "importlib.metadata"),
    *("selectors", "subprocess", "threading", "typing"),
    *("allowsync.packetpath", "inspect", "logging", "tempfile", "yaml"),
    # Of a run with something new, or less than before, or anything to say.
    *("allowsync.plan.limits", "allowsync.plan.reasons", "allowsync.policy.absence"),
    *("allowsync.engine.fleet", "allowsync.fleet", "allowsync.policy.fleet", "cryptography"),
    *("allowsync.policy.crowd", "allowsync.policy.fold", "allowsync.policy.orphans"),
    *("allowsync.policy.guards", "allowsync.policy.newcomers", "allowsync.policy.dns64"),
    "allowsync.policy.evidence",
    *("allowsync.report", "allowsync.system.files"),
)
PROGRAM: Final = """
import json, sys
sys.argv = ["allowsync", sys.argv[2], "--config", sys.argv[1]]
from allowsync.__main__ import main
try:
    main()
except SystemExit as ended:
    print(json.dumps([ended.code, sorted(sys.modules)]), file=sys.stderr)
"""


# What a check needs of what is configured and set up alone.
OF_OTHERS: Final = ("allowsync.engine.fleet", "allowsync.fleet", "allowsync.notify", "tempfile")


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    """A place where runs have left all in sync. One of its hosts has an IPv4 address alone."""
    with place(0.001) as here:
        here.configure(3, {"nftables": {"ports": ["443/tcp"]}})
        here.config.write_text(here.config.read_text().replace("host2.", "four2."))
        here.settle()
        here.run()
        yield here


def after(here: Place, command: str) -> tuple[int, list[str]]:
    """How a command ended, and the modules that it has loaded then."""
    argv = [sys.executable, "-I", "-c", PROGRAM, str(here.config), command]
    done = here.namespace.run(
        lambda: subprocess.run(argv, capture_output=True, text=True, check=True)
    )
    code, modules = json.loads(done.stderr)  # and nothing else was said
    return code, modules


@pytest.fixture(scope="module")
def loaded(here: Place) -> list[str]:
    """The modules that a run has loaded at its end."""
    code, modules = after(here, "apply")
    assert code == 0
    return modules


def test_a_check_loads_nothing_of_what_is_not_configured(here: Place) -> None:
    _, modules = after(here, "check")
    assert set(OF_OTHERS).isdisjoint(modules)


def test_an_idle_run_loads_few_modules(loaded: list[str]) -> None:
    ours = [
        name for name in loaded if name.partition(".")[0] in ("allowsync", "allowsync_backends")
    ]
    assert len(ours) <= MOST_OF_OURS, "\n".join(ours)


@pytest.mark.parametrize("name", DEAR)
def test_an_idle_run_loads_nothing_dear(loaded: list[str], name: str) -> None:
    assert name not in loaded
