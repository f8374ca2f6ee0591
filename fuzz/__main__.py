"""Fuzz every target in turn, each in a process of its own.

    python -m fuzz --seconds 60
    python -m fuzz --seconds 600 --only answer
    python -m fuzz --only answer --again FILE

An input that breaks a promise is kept in `fuzz/found/` and named; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz.seeds import SEEDS

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
LONGEST = 4096  # bytes of one input


def main(arguments: Sequence[str]) -> int:
    """Parse the command line and do what it says; the exit code."""
    parser = argparse.ArgumentParser("python -m fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--only", choices=list(SEEDS), help="this target alone")
    parser.add_argument("--again", type=Path, metavar="FILE", help="try one input once more")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    names = [given.only] if given.only else list(SEEDS)
    if given.again:
        from fuzz.targets import TARGETS

        for name in names:
            TARGETS[name](given.again.read_bytes())
        return 0
    if given.inside:
        return _fuzz(names[0], given.seconds)
    return max(_in_a_process(name, max(1, given.seconds // len(names))) for name in names)


def _in_a_process(name: str, seconds: int) -> int:
    """Fuzz one target in a process of its own, which libFuzzer ends."""
    words = ["--inside", "--only", name, "--seconds", str(seconds)]
    done = subprocess.run([sys.executable, "-m", "fuzz", *words], check=False)
    sys.stdout.write(f"{name}: {'nothing found' if done.returncode == 0 else 'DEFECT'}\n")
    return min(done.returncode, 1)


def _fuzz(name: str, seconds: int) -> int:
    import atheris

    with atheris.instrument_imports(include=["allowsync", "allowsync_backends", "dns"]):
        from fuzz.targets import TARGETS

    corpus = HERE / "corpus" / name
    found = HERE / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = (
        f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=10", "-verbosity=0",
        f"-artifact_prefix={found}/{name}-",
    )  # fmt: skip
    atheris.Setup(["fuzz", *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
