"""Notification channels and the heartbeat of a run. Each is a URL, literal or kept elsewhere.

Since a URL often holds a password or a token, a mapping can name the file, environment variable or
systemd credential that holds it. If that is unreadable or no URL, the configuration stays valid:
only that channel is broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.config.secrets import KeptSecret, UrlForm
from allowsync.model.notification import TOLD_UNASKED, Event, HeartbeatKind
from allowsync.model.value import Value, replace
from allowsync.text import quote

if TYPE_CHECKING:
    from allowsync.config.secrets import Secret

APPRISE_URL: Final = UrlForm("an Apprise URL such as ntfy://ntfy.example.net/topic")
PING_URL: Final = UrlForm("a URL such as https://hc.example.net/ping/0123", "https?")

_FILE: Final = "A file that holds the URL."
_ENV: Final = "An environment variable that holds the URL."
_CREDENTIAL: Final = "A systemd credential that holds the URL."


class NotifyChannel(Value):
    """A notification channel: one Apprise URL, and the events sent to it."""

    url: Secret | None = option(
        lambda: kinds.SecretUrl(*APPRISE_URL), help="The Apprise URL.", default=None
    )
    url_file: KeptSecret | None = option(lambda: kinds.SecretFile(), help=_FILE, default=None)
    url_env: KeptSecret | None = option(lambda: kinds.SecretEnv(), help=_ENV, default=None)
    url_credential: KeptSecret | None = option(
        lambda: kinds.SecretCredential(), help=_CREDENTIAL, default=None
    )
    events: tuple[Event, ...] = option(
        lambda: kinds.ListOf(kinds.Choice(Event), unique=True, least=1),
        help="The events sent to it. `moved`, a new address of a host, is sent only if listed "
        "here.",
        default=TOLD_UNASKED,
    )

    def __post_init__(self) -> None:
        _ = self.kept

    @property
    def kept(self) -> KeptSecret:
        """The URL and its store; a literal URL has none."""
        return _one_url(APPRISE_URL, self.url, self.url_file, self.url_env, self.url_credential)

    @property
    def secret(self) -> Secret:
        """The URL, from any store."""
        return self.kept.secret

    @property
    def said(self) -> str:
        """The public name of the channel: the scheme of its URL."""
        kept = self.kept
        return "unknown" if kept.unreadable else kept.secret.value.partition("://")[0].lower()


class Heartbeat(Value):
    """The monitor that gets a ping at the end of every run."""

    url: Secret | None = option(lambda: kinds.SecretUrl(*PING_URL), help="The URL.", default=None)
    url_file: KeptSecret | None = option(lambda: kinds.SecretFile(), help=_FILE, default=None)
    url_env: KeptSecret | None = option(lambda: kinds.SecretEnv(), help=_ENV, default=None)
    url_credential: KeptSecret | None = option(
        lambda: kinds.SecretCredential(), help=_CREDENTIAL, default=None
    )
    kind: HeartbeatKind = option(
        lambda: kinds.Choice(HeartbeatKind),
        help="The service whose conventions are used. `auto` detects it from the URL; `plain` "
        "is requested only after successful runs, without a message.",
        default=HeartbeatKind.AUTO,
    )

    def __post_init__(self) -> None:
        _ = self.kept

    @property
    def kept(self) -> KeptSecret:
        """The URL and its store; a literal URL has none."""
        return _one_url(PING_URL, self.url, self.url_file, self.url_env, self.url_credential)

    @property
    def secret(self) -> Secret:
        """The URL, from any store."""
        return self.kept.secret


def _one_url(form: UrlForm, url: Secret | None, *kept: KeptSecret | None) -> KeptSecret:
    """The one URL that is given; marked unreadable if it is no URL.

    Raises:
        ValueError: There is none, or more than one.
    """
    given = [KeptSecret("", url)] if url is not None else []
    given += [one for one in kept if one is not None]
    if len(given) != 1:
        raise ValueError("needs one of url, url_file, url_env, url_credential")
    (only,) = given
    if only.unreadable or form.fits(only.secret.value):
        return only
    why = f"{quote(only.origin)}: what is kept there is not {form.expected}"
    return replace(only, unreadable=why)
