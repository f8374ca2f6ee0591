"""Whom a run tells: channels for notices, and the heartbeat. Each is a URL, written or kept away.

A URL may stand as it is. Since it often holds a password or a token, a mapping can say instead in
which file, environment variable or systemd credential it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from allowsync.config.schema.collection_kinds import ListOf
from allowsync.config.schema.context import INVALID
from allowsync.config.schema.kind import Kind
from allowsync.config.schema.nodes import Mapping, Node, Scalar, is_null
from allowsync.config.schema.object import Object, option
from allowsync.config.schema.scalar_kinds import Choice
from allowsync.config.secrets import (
    KeptSecret,
    Secret,
    SecretCredential,
    SecretEnv,
    SecretFile,
    SecretUrl,
)
from allowsync.model.notification import TOLD_UNASKED, Event, HeartbeatKind
from allowsync.model.value import Value

if TYPE_CHECKING:
    from allowsync.config.schema.context import Invalid, Reading

T = TypeVar("T")

APPRISE_URL: Final = SecretUrl("an Apprise URL such as ntfy://ntfy.example.net/topic")
PING_URL: Final = SecretUrl("a URL such as https://hc.example.net/ping/0123", "https?")

_FILE: Final = "A file that holds the URL."
_ENV: Final = "An environment variable that holds the URL."
_CREDENTIAL: Final = "A systemd credential that holds the URL."


class NotifyChannel(Value):
    """A notification channel: one Apprise URL, and the events sent to it."""

    url: Secret | None = option(APPRISE_URL, help="The Apprise URL itself.", default=None)
    url_file: KeptSecret | None = option(SecretFile(), help=_FILE, default=None)
    url_env: KeptSecret | None = option(SecretEnv(), help=_ENV, default=None)
    url_credential: KeptSecret | None = option(SecretCredential(), help=_CREDENTIAL, default=None)
    events: tuple[Event, ...] = option(
        ListOf(Choice(Event), unique=True, least=1),
        help="The events sent to it. `moved`, a friend's new address, only where it is named.",
        default=TOLD_UNASKED,
    )

    def __post_init__(self) -> None:
        _one_url(APPRISE_URL, self.url, self.url_file, self.url_env, self.url_credential)

    @property
    def secret(self) -> Secret:
        """The URL, wherever it is kept."""
        return _one_url(APPRISE_URL, self.url, self.url_file, self.url_env, self.url_credential)

    @property
    def said(self) -> str:
        """What the channel may be called where others read: the scheme of its URL."""
        return self.secret.value.partition("://")[0].lower()


class Heartbeat(Value):
    """Who is told at the end of every run that there was one."""

    url: Secret | None = option(PING_URL, help="The URL itself.", default=None)
    url_file: KeptSecret | None = option(SecretFile(), help=_FILE, default=None)
    url_env: KeptSecret | None = option(SecretEnv(), help=_ENV, default=None)
    url_credential: KeptSecret | None = option(SecretCredential(), help=_CREDENTIAL, default=None)
    kind: HeartbeatKind = option(
        Choice(HeartbeatKind),
        help="Whose conventions are followed. `auto` goes by the URL; `plain` is pinged after good "
        "runs only, and without saying anything.",
        default=HeartbeatKind.AUTO,
    )

    def __post_init__(self) -> None:
        _one_url(PING_URL, self.url, self.url_file, self.url_env, self.url_credential)

    @property
    def secret(self) -> Secret:
        """The URL, wherever it is kept."""
        return _one_url(PING_URL, self.url, self.url_file, self.url_env, self.url_credential)


def _one_url(kind: SecretUrl, url: Secret | None, *kept: KeptSecret | None) -> Secret:
    """The one URL that is given.

    Raises:
        ValueError: There is none, or more than one, or it is no URL.
    """
    given = [*([] if url is None else [url]), *(one.secret for one in kept if one is not None)]
    if len(given) != 1:
        raise ValueError("needs one of url, url_file, url_env, url_credential")
    if not kind.fits(given[0].value):
        raise ValueError(f"what is kept there is not {kind.expected}")
    return given[0]


class UrlOrMapping(Kind[T]):
    """A URL as it stands, or a mapping. Nothing of what is wrong is shown: it may be secret.

    Args:
        cls: What is made of it; one of its options is `url`.
        url: What the URL is.
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
        """An instance with that URL."""
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
        """Whether a key, or the name of a file, was not mistaken for the place of the URL."""
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
