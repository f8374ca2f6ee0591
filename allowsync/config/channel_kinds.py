"""The kind of notification channels and heartbeats: a plain URL, or a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from allowsync.config.channels import APPRISE_URL, PING_URL, Heartbeat, NotifyChannel
from allowsync.config.schema.context import INVALID
from allowsync.config.schema.kind import Kind
from allowsync.config.schema.nodes import Mapping, Node, Scalar, is_null
from allowsync.config.schema.object import Object
from allowsync.config.secret_kinds import SecretUrl

if TYPE_CHECKING:
    from allowsync.config.schema.context import Invalid, Reading

T = TypeVar("T")


class UrlOrMapping(Kind[T]):
    """A plain URL, or a mapping. Messages do not quote the value: it may be secret.

    Args:
        cls: The class of the value; one of its options is `url`.
        url: The kind of the URL.
    """

    hidden = True

    def __init__(self, cls: type[T], url: SecretUrl) -> None:
        self.url = url
        self.object = Object(cls)

    @property
    def expected(self) -> str:
        """Both forms."""
        return f"{self.url.expected}, or a mapping with {', '.join(self.object.options)}"

    def parse(self, node: Node, at: str, reading: Reading) -> T | Invalid:
        """An instance for that URL or mapping."""
        if isinstance(node, Mapping):
            return self._parse_mapping(node, at, reading)
        url = self.url.parse(node, at, reading)
        return INVALID if url is INVALID else self.object.build({"url": url}, node, at, reading)

    def _parse_mapping(self, node: Mapping, at: str, reading: Reading) -> T | Invalid:
        for key, value in node.entries:
            if not self._may_be_shown(key, value):
                what = f"expected {self.expected} (what is written there is not shown: it may be "
                return reading.problem(key, at, f"{what}secret)")
        return self.object.parse(node, at, reading)

    def _may_be_shown(self, key: Node, value: Node) -> bool:
        """Whether a key or file name is safe to show, that is, no misplaced URL."""
        if not isinstance(key, Scalar) or key.text not in self.object.options or is_null(value):
            return False
        return key.text == "url" or not isinstance(value, Scalar) or "://" not in value.text

    def schema(self) -> dict[str, Any]:
        """Either of the two forms."""
        return {"anyOf": [self.url.schema(), self.object.schema()]}

    def show(self, value: T) -> Any:
        """The shorter of the two forms, masked."""
        shown = self.object.show(value)
        options = self.object.options
        own = {
            name: one
            for name, one in shown.items()
            if getattr(value, name) != options[name].default
        }
        return own["url"] if own.keys() == {"url"} else own


CHANNEL: Final = UrlOrMapping(NotifyChannel, SecretUrl(*APPRISE_URL))
HEARTBEAT: Final = UrlOrMapping(Heartbeat, SecretUrl(*PING_URL))
