"""Compare the stand-in with a real Traefik, and knock at it while its allowlist changes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from allowsync_backends.traefik import TYPE, MiddlewareKind, TraefikOptions
from allowsync_backends.traefik.api import Api

from allowsync.model.target import Placement
from tests.support.requests import is_felt_by_nobody, neighbourhood
from tests.support.traefik import Standin, entry_point
from tests.traefik.comparing import SITUATIONS, differences
from tests.traefik.headers import wrong
from tests.traefik.real import HTTP, ROUTERS, TCP, URL, traefik

if TYPE_CHECKING:
    from tests.support.netns import Namespace


def main() -> int:
    """Print what was found; 1 where something differs. A wrong answer to a request is raised."""
    parser = argparse.ArgumentParser(prog="tests.traefik", description=__doc__)
    parser.add_argument("program", help="the program traefik")
    parser.add_argument("--applies", type=int, default=200, help="changes of the list, for HTTP")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        base.chmod(0o755)
        with neighbourhood() as inside, traefik(given.program, inside, base / "real") as folder:
            print(f"Traefik {inside.run(Api(URL).version)}")
            found = _compared(inside, folder, base / "copy")
            print(f"{len(SITUATIONS)} situations compared, {len(found)} told differently")
            for one in found:
                print(f"  {one}")
            told = list(wrong(inside, folder))
            print(f"{len(told)} requests with X-Forwarded-For answered otherwise than documented")
            for one in told:
                print(f"  {one}")
            _knocked(inside, folder, HTTP, given.applies)
            _knocked(inside, folder, TCP, given.applies // 2)
    return 1 if found or told else 0


def _compared(inside: Namespace, folder: Path, copy: Path) -> list[str]:
    copy.mkdir()
    (copy / "app.yml").write_text(ROUTERS)
    points = [entry_point("web", trustedIPs=["10.0.0.0/8"]), entry_point("tcp")]
    standin = Standin(copy, entry_points=points)
    inside.run(standin.__enter__)
    try:
        return inside.run(lambda: list(differences(Api(URL), folder, Api(standin.url), copy)))
    finally:
        standin.__exit__()
        for path in folder.iterdir():
            if path.name != "app.yml":
                path.unlink()


def _knocked(inside: Namespace, folder: Path, port: int, applies: int) -> None:
    kinds = (MiddlewareKind.HTTP, MiddlewareKind.TCP)
    options = TraefikOptions(path=folder / "friends.yml", kinds=kinds, api=URL)
    target = TYPE.make(Placement("x", "x/traefik"), options)
    score = is_felt_by_nobody("traefik", inside, target, port, applies=applies)
    print(
        f"port {port}, {applies} changes: friend {score.friend} requests, {score.failed} failed; "
        f"stranger {score.stranger} requests, {score.let_in} let in"
    )


if __name__ == "__main__":
    sys.exit(main())
