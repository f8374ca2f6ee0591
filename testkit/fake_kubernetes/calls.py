"""What is asked, and of what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from testkit.fake_kubernetes.definitions import Definition
    from testkit.fake_kubernetes.faults import KubernetesFault
    from testkit.fake_kubernetes.object_store import Key

APPLY: Final = "application/apply-patch+yaml"


@dataclass
class ServedCall:
    """A request, and what it was answered with: 0 where the connection was cut."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""
    user: str = ""
    agent: str = ""
    status: int = 0
    fault: KubernetesFault | None = None

    @property
    def document(self) -> Any:
        """What was sent; JSON is YAML."""
        return yaml.safe_load(self.body) if self.body else None


@dataclass(frozen=True)
class ApiTarget:
    """What a path names."""

    of: Definition
    namespace: str = ""
    name: str = ""

    @property
    def group(self) -> str:
        """The group without its version; empty for the oldest."""
        return self.of.group.rpartition("/")[0]

    @property
    def resource(self) -> str:
        """What all versions of a group have in common."""
        return f"{self.of.plural}.{self.group}"

    @property
    def key(self) -> Key:
        """Where the store has it."""
        return self.resource, self.namespace, self.name
