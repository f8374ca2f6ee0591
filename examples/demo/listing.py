"""The story without a firewall: allowsync keeps a file, and the file is what is looked at."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from people import ALLOWLIST
from scene import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from people import Visitor


@dataclass(frozen=True, slots=True)
class FileScene:
    """An allowlist in a file, for another program to read."""

    path: Path

    @property
    def target(self) -> str:
        """A file target."""
        return f"file: {{path: {self.path}}}"

    @property
    def target_name(self) -> str:
        """A file target."""
        return f"{ALLOWLIST}/file"

    @property
    def open_unguarded(self) -> bool:
        """A file that is not there lists no host."""
        return False

    @property
    def shows(self) -> tuple[str, ...]:
        """The file itself."""
        return ("cat", self.path.name)

    def entered(self) -> AbstractContextManager[None]:
        """Everything happens right here."""
        return nullcontext()

    def let_in(self, visitor: Visitor) -> str:
        """They are in the file."""
        return f"the file admits {visitor.name} at {listed(visitor)}"

    def kept_out(self, visitor: Visitor) -> str:
        """They are not."""
        return f"the file does not admit {visitor.name} at {listed(visitor)}"

    def admitted(self, addresses: Collection[str], patience: float) -> Mapping[str, bool]:  # noqa: ARG002 - a file answers at once
        """Which addresses are within a network of the file."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        networks = [ip_network(line) for line in lines if not line.startswith("#")]
        return {one: any(ip_address(one) in network for network in networks) for one in addresses}
