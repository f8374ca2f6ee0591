"""Options of the sources of networks that hosts name among their networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.config.schema import option
from allowsync.model.value import Value

if TYPE_CHECKING:
    from allowsync.config.schema.kind import Kind

# Their networks get access: unencrypted HTTP only from this machine itself.
_URL: Final = (
    r"https://[^\s/?#@]+(?:/[^\s?#]*)?"
    r"|http://(?:127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?(?:/[^\s?#]*)?"
)


def _url() -> Kind[str]:
    """The kind of a source's URL."""
    from allowsync.config.schema.scalar_kinds import Pattern

    return Pattern(_URL, "an https:// URL (http:// only to this machine)")


class SourceOptions(Value):
    """The options of one source."""

    url: str | None = option(
        _url,
        help="Where it is asked. Default: where it is published.",
        default=None,
    )
