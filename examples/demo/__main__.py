"""Shows what allowsync does, on this machine, without the internet and without touching anything.

As root, where nftables is there: a real gate, real connections, in network namespaces of its own.
Otherwise the same with a file. Ends with 1 if anything goes differently from what is told.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import paper
from edge import edge
from gate import GateScene, NoGateHereError
from listing import FileScene
from people import configuration, zones
from stage import CONFIGURATION, STATE, NotAsToldError, Stage
from story import tell

from testkit.fake_dns.nameserver import NameServer

if TYPE_CHECKING:
    from scene import Scene


def main() -> int:
    """Tell the story; the exit code."""
    # Ended from outside, the demo tidies up as if it was interrupted from the keyboard.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        with TemporaryDirectory(prefix="allowsync-demo-") as folder:  # mode 0700
            stage = Stage(_scene(Path(folder)), Path(folder))
            difference = _play(stage)
    except KeyboardInterrupt:
        paper.failed("interrupted")
        return 130
    if difference:
        paper.failed(f"FAILED at step {stage.step_number}: {stage.step_text}\n{difference}")
        return 1
    seconds = time.monotonic() - began
    paper.remark("")
    paper.remark(
        f"All {stage.step_number} steps went as told, in {seconds:.0f} s. Nothing is left behind."
    )
    return 0


def _scene(folder: Path) -> Scene:
    """The best scene there is on this machine, introduced in a few lines."""
    try:
        scene = GateScene()
    except NoGateHereError as error:
        paper.remark(f"No firewall in this demo: {error}. allowsync keeps a file instead.")
        return FileScene(folder / "allowed.txt")
    paper.remark(
        "A service on port 8096, a real nftables gate before it, and an internet of its own:"
        " all of it in two network namespaces that end with this demo."
    )
    return scene


def _play(stage: Stage) -> str:
    """Set up what the story needs and tell it; what went differently, or an empty string."""
    answers = zones()
    with stage.scene.entered():
        # Their sockets stay where they were made.
        server, cloudflare = NameServer(answers), edge(stage.folder)

    def configure(*targets: str) -> None:
        text = configuration(targets, str(server), stage.folder / STATE)
        (stage.folder / CONFIGURATION).write_text(text)

    configure(stage.scene.target)
    try:
        with server, cloudflare.cloud:
            tell(stage, answers, cloudflare, configure)
    except (NotAsToldError, OSError, LookupError, ValueError, subprocess.SubprocessError) as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.exit(main())
