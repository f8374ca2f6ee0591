"""What was asked and answered, for tests to read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from testkit.fake_cloudflare.faults import OrderedFault


@dataclass(slots=True)
class LoggedRequest:
    """A request, and its answer once it is out.

    Attributes:
        name: The name of its route; empty if it has none.
        path: Without the part before the routes, and without the query.
        headers: In lower case; `authorization` without the token itself.
        body: The bytes of the body.
        begun: When it was read, in seconds of the fake's clock.
        ended: When its answer was out, or the connection was cut.
        status: Of the answer; `None` if none was sent.
        fault: What befell it.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    begun: float
    name: str = ""
    ended: float | None = None
    status: int | None = None
    answer: bytes = b""
    answer_headers: dict[str, str] = field(default_factory=dict)
    content_type: str = ""
    fault: OrderedFault | None = None

    @property
    def writes(self) -> bool:
        """Whether it is one that changes something."""
        return self.method != "GET"

    @property
    def accepted(self) -> bool:
        """Whether it was answered with a success, as far as the status tells."""
        return self.status is not None and self.status < 300

    @property
    def json(self) -> Any:
        """The body, parsed; `None` if there is none."""
        return json.loads(self.body) if self.body else None

    @property
    def target(self) -> str:
        """The path with the query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def __str__(self) -> str:
        return f"{self.method} {self.target} -> {self.status or 'cut'}"
