"""A backend whose every step happens inside a network namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.backend.protocols import Backend
    from allowsync.model.plan import Plan
    from allowsync.model.target import Capabilities, Current, Finding
    from tests.support.netns import Namespace


@dataclass(frozen=True, slots=True)
class Within:
    """Passes everything on to another backend, in the namespace's own thread."""

    inside: Namespace
    backend: Backend

    @property
    def capabilities(self) -> Capabilities:
        return self.inside.run(lambda: self.backend.capabilities)

    def check(self) -> Sequence[Finding]:
        return self.inside.run(self.backend.check)

    def read(self) -> Current:
        return self.inside.run(self.backend.read)

    def apply(self, plan: Plan) -> None:
        self.inside.run(self.backend.apply, plan)

    def clear(self) -> None:
        self.inside.run(self.backend.clear)
