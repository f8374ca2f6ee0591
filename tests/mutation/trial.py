"""One mutant against the tests of its module, in a process of its own.

A worker imports once what everybody needs and nothing of allowsync; each trial is a fork of it that
finds the changed module instead of the one on the disk. So no file is ever touched, and a trial
takes a fraction of the time of starting pytest.
"""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import sys
import tempfile
from enum import Enum
from importlib.abc import Loader, MetaPathFinder
from importlib.util import spec_from_loader
from typing import TYPE_CHECKING, Final

from tests.mutation.mutants import compiled, mutants
from tests.mutation.suites import ROOT, source, suite

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

MEMORY: Final = 2 << 30  # bytes; a mutant may well collect for ever
PLUGINS: Final = ("pytest_timeout", "_hypothesis_pytestplugin")
NOBODY_NOTICED, NOTICED, BROKE_OFF = 0, 1, 2  # pytest.ExitCode


class Verdict(Enum):
    """How a trial came out."""

    KILLED = "killed"
    SURVIVED = "survived"
    ENDLESS = "endless"  # stopped at its time limit: noticed by whoever waits for the tests


class Swapped(MetaPathFinder, Loader):
    """Finds one module changed."""

    def __init__(self, module: str, code: CodeType) -> None:
        self.name = f"allowsync.{module.replace('/', '.')}"
        self.path = str(source(module))
        self.code = code

    def find_spec(
        self, fullname: str, path: object, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        spec = spec_from_loader(fullname, self, origin=self.path)
        assert spec is not None
        spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def get_ready() -> None:
    """Import what tests need of others, and let properties be tried alike every time."""
    import click  # noqa: F401
    import dns.asyncresolver  # noqa: F401
    import freezegun  # noqa: F401
    import hypothesis
    import pytest  # noqa: F401
    import tenacity  # noqa: F401
    import yaml  # noqa: F401

    os.chdir(ROOT)
    os.nice(10)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hypothesis.settings.register_profile(
        "mutation",
        database=None,
        derandomize=True,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    hypothesis.settings.load_profile("mutation")
    imported = [name for name in sys.modules if name.partition(".")[0] == "allowsync"]
    assert not imported, imported


def try_one(module: str, number: int | None, seconds: float) -> Verdict:
    """Try a mutant of a module, or with None the module as it is.

    Raises:
        RuntimeError: The tests could not be run at all.
    """
    code = None if number is None else _code(module, number)
    folder = tempfile.mkdtemp(prefix="mutant-")
    main = os.fork()
    if main == 0:
        _become_the_trial(module, code, folder)
    try:
        ended = _wait(main, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if ended is None:
        return Verdict.ENDLESS
    if ended > BROKE_OFF:
        raise RuntimeError(f"the tests of {module} ended with {ended}")
    return Verdict.SURVIVED if ended == NOBODY_NOTICED else Verdict.KILLED


def _code(module: str, number: int) -> CodeType:
    for count, (_, tree) in enumerate(mutants(source(module).read_text())):
        if count == number:
            return compiled(tree, str(source(module)))
    raise IndexError(number)


def _become_the_trial(module: str, code: CodeType | None, folder: str) -> None:
    """Run the tests as this process, and end it."""
    import pytest

    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(silence, descriptor)
    ended: int = BROKE_OFF
    try:
        if code is not None:
            sys.meta_path.insert(0, Swapped(module, code))
        plugins = [word for name in PLUGINS for word in ("-p", name)]
        options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", *plugins]
        ended = pytest.main([*options, f"--basetemp={folder}/tests", *suite(module)])
    finally:
        os._exit(ended)


def _wait(main: int, seconds: float) -> int | None:
    """The exit code of a process; None when it and its children had to be killed.

    What died of a signal, for want of memory perhaps, counts as broken off.
    """
    descriptor = os.pidfd_open(main)
    try:
        in_time = select.select([descriptor], [], [], seconds)[0]
    finally:
        os.close(descriptor)
    if not in_time:
        os.killpg(main, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(main, 0)[1])
    if not in_time:
        return None
    return BROKE_OFF if status < 0 else status
