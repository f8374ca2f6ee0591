"""Change the pure modules in every way there is, and see whether a test notices.

    python -m tests.mutation
    python -m tests.mutation decide plan

Prints the score of each module and the changes nobody noticed. Exit code 1 when fewer than nine in
ten were noticed.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from tests.mutation.mutants import Mutant, mutants
from tests.mutation.suites import SUITES, source
from tests.mutation.trial import Verdict, get_ready, try_one

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

GOAL: Final = 0.9
LONGEST: Final = 120.0  # seconds for the tests of a module as it is
SLOWER: Final = 5  # times as slow a mutant may be, and five seconds on top


@dataclass(frozen=True, slots=True)
class Score:
    """How many changes of a module were tried, how many were noticed, and which were not."""

    module: str
    tried: int
    survivors: tuple[Mutant, ...]

    @property
    def noticed(self) -> int:
        return self.tried - len(self.survivors)

    @property
    def share(self) -> float:
        return self.noticed / self.tried if self.tried else 1.0

    def __str__(self) -> str:
        return f"{self.module:<10} {self.noticed:>5} of {self.tried:>5}  {self.share:7.1%}"


def main(arguments: Sequence[str]) -> int:
    """Parse the command line and do what it says; the exit code."""
    parser = argparse.ArgumentParser("python -m tests.mutation")
    parser.add_argument("modules", nargs="*", choices=[*SUITES, []], metavar="MODULE")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    given = parser.parse_args(arguments)
    scores = []
    with ProcessPoolExecutor(given.jobs, get_context("spawn"), get_ready) as pool:
        for module in given.modules or SUITES:
            scores.append(tried(pool, module))
            print(scores[-1], flush=True)
            for mutant in scores[-1].survivors:
                print(f"    allowsync/{module}.py:{mutant}", flush=True)
    total = Score(
        "all", sum(one.tried for one in scores), tuple(m for one in scores for m in one.survivors)
    )
    print(total)
    return 0 if total.share >= GOAL else 1


def tried(pool: ProcessPoolExecutor, module: str) -> Score:
    """Try every mutant of a module."""
    began = time.monotonic()
    if pool.submit(try_one, module, None, LONGEST).result() is not Verdict.SURVIVED:
        sys.exit(f"the tests of {module} fail without any change")
    seconds = SLOWER * (time.monotonic() - began) + 5
    all_of_them = [mutant for mutant, _ in mutants(source(module).read_text())]
    trials: list[Future[Verdict]] = [
        pool.submit(try_one, module, number, seconds) for number in range(len(all_of_them))
    ]
    survivors = tuple(
        mutant
        for mutant, trial in zip(all_of_them, trials, strict=True)
        if trial.result() is Verdict.SURVIVED
    )
    return Score(module, len(all_of_them), survivors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
