"""Carries out the steps of the story, and checks that what happens is what was told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import paper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from people import Visitor
    from scene import Scene

TIMEOUT: Final = 60.0  # seconds that one command may take
LET_IN_WITHIN: Final = 5.0  # seconds; TCP asks again after one
SILENT_FOR: Final = 0.4  # seconds without an answer from a server on the same machine

CONFIGURATION: Final = "config.yaml"
STATE: Final = "state.db"


class NotAsToldError(Exception):
    """Something is different from what was told; the text says what is the case."""


@dataclass(slots=True)
class Stage:
    """The demo as far as it has come.

    Attributes:
        scene: Where it plays.
        folder: Where the configuration is, and where commands are run.
        step_number: The step told last.
        step_text: Its text.
    """

    scene: Scene
    folder: Path
    step_number: int = 0
    step_text: str = ""

    def step(self, text: str) -> None:
        """Begin a step by saying what will happen."""
        self.step_number += 1
        self.step_text = text
        paper.heading(self.step_number, text)

    def allowsync(
        self, *arguments: str, code: int = 0, says: Sequence[str] = (), silent: bool = False
    ) -> None:
        """Run allowsync and show what it prints.

        Args:
            arguments: What is typed after `allowsync`.
            code: The exit code it must have.
            says: What its output must contain, spaces between words apart.
            silent: Whether it must print nothing at all.

        Raises:
            NotAsToldError: Something of that is not so.
        """
        printed = self._run(("allowsync", *arguments), code)
        paper.output(printed or "(prints nothing)")
        require(not (silent and printed), "it should have nothing to say")
        for part in says:
            require(part in " ".join(printed.split()), f"it does not say {part!r}")
        if code:
            paper.checked(f"exit code {code}")

    def document(self, *arguments: str) -> dict[str, Any]:
        """Run allowsync, which must exit with 0, and read the JSON document it prints."""
        printed = self._run(("allowsync", *arguments), 0)
        paper.output(f"(a JSON document of {len(printed.splitlines())} lines)")
        document: dict[str, Any] = json.loads(printed)
        return document

    def show(self, *command: str) -> None:
        """Run a command that must succeed, and show what it prints."""
        paper.output(self._run(command, 0))

    def gets_in(self, *visitors: Visitor) -> None:
        """Let people come, all of whom must be let in."""
        self._come(visitors, LET_IN_WITHIN, self.scene.let_in, expected=True)

    def stays_out(self, *visitors: Visitor) -> None:
        """Let people come, none of whom may be let in."""
        self._come(visitors, SILENT_FOR, self.scene.kept_out, expected=False)

    @property
    def _environment(self) -> dict[str, str]:
        """What keeps allowsync within the demo's folder."""
        configuration = str(self.folder / CONFIGURATION)
        return {"ALLOWSYNC_CONFIG": configuration, "STATE_DIRECTORY": str(self.folder)}

    def _come(
        self,
        visitors: Sequence[Visitor],
        patience: float,
        words: Callable[[Visitor], str],
        *,
        expected: bool,
    ) -> None:
        addresses = [address for visitor in visitors for address in visitor.addresses]
        for address, admitted in self.scene.admitted(addresses, patience).items():
            how = "is let in" if admitted else "is not let in"
            require(admitted is expected, f"whoever comes from {address} {how}")
        for visitor in visitors:
            paper.checked(words(visitor))

    def _run(self, command: tuple[str, ...], code: int) -> str:
        """What a command prints, if it ends with that exit code."""
        paper.typed(" ".join(command))
        with self.scene.entered():
            done = subprocess.run(
                (_program(command[0]), *command[1:]),
                cwd=self.folder,
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        printed = done.stdout + done.stderr
        require(
            done.returncode == code, f"exit code {done.returncode} instead of {code}\n{printed}"
        )
        return printed


def require(told: bool, difference: str) -> None:  # noqa: FBT001 - reads like an assertion
    """Go on only if something is as told.

    Raises:
        NotAsToldError: It is not; `difference` says what is the case instead.
    """
    if not told:
        raise NotAsToldError(difference.rstrip())


def _program(name: str) -> str:
    """The allowsync installed beside this Python; anything else by its name."""
    return str(Path(sys.executable).with_name(name)) if name == "allowsync" else name
