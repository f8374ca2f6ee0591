"""The account that a command works on, and its token.

From the configuration's Cloudflare targets where that is unambiguous, or from the command line. The
token itself is never an argument: arguments are readable by every user of the machine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.outcome import Notice
from allowsync.model.target import Effect
from allowsync.model.value import Value
from allowsync_backends.cloudflare.commands.owners import Claim, Owners

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.config.settings import Target
    from allowsync_backends.cloudflare.options import CloudflareOptions

BACKEND: Final = "cloudflare"
_TOKENS: Final = ("api_token_file", "api_token_env", "api_token_credential")
_OPTIONS: Final = {
    "account_id": "--account-id",
    "api_token_file": "--token-file",
    "api_token_env": "--token-env",
    "api_url": "--api-url",
}


class AccessOptions(Value):
    """The account options of the command line; None for one that is not given."""

    target: str | None = None
    account_id: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    api_url: str | None = None

    @property
    def complete(self) -> bool:
        """Whether no configuration is needed."""
        token = self.token_file is not None or self.token_env is not None
        return self.target is None and self.account_id is not None and token

    @property
    def written(self) -> dict[str, str]:
        """The given options in the form of a target's options."""
        given = {
            "account_id": self.account_id,
            "api_token_file": None if self.token_file is None else _path(self.token_file),
            "api_token_env": self.token_env,
            "api_url": self.api_url,
        }
        return {key: value for key, value in given.items() if value is not None}


class Access(Value):
    """An account to work on.

    Attributes:
        options: The account, the token, the URL.
        claims: The targets of this machine that keep items there.
    """

    options: CloudflareOptions
    claims: tuple[Claim, ...] = ()

    def owners(self, list_name: str) -> Owners:
        """Return the owners of items in a list, as far as this machine knows them."""
        return Owners(tuple(one for one in self.claims if one.list_name == list_name))


class NoAccessError(Exception):
    """The account is ambiguous or missing, or cannot be used. Holds every reason."""

    def __init__(self, notices: Iterable[Notice]) -> None:
        self.notices = tuple(notices)
        super().__init__(self.notices)


def access(asked: AccessOptions, targets: Iterable[Target], environ: Mapping[str, str]) -> Access:
    """Return the account to work on.

    Args:
        asked: The options of the command line.
        targets: Every target of the configuration; none where there is no configuration.
        environ: The environment, for tokens kept there.

    Raises:
        NoAccessError: There is none, or more than one.
    """
    ours = [one for one in targets if one.backend.name == BACKEND]
    options = _options(asked, ours, environ)
    claims = [
        Claim(one.name, one.allowlist, on.list, on.owner or "", on.exclusive, _denies(one))
        for one, on in ((one, one.options) for one in ours)
        if (on.account_id, on.api_url) == (options.account_id, options.api_url)
    ]
    return Access(options, tuple(claims))


def _denies(target: Target) -> bool:
    return target.effect is Effect.DENY


def _options(
    asked: AccessOptions, ours: list[Target], environ: Mapping[str, str]
) -> CloudflareOptions:
    if asked.complete:
        return _valid({"list": "any", **asked.written}, environ)
    target = _chosen(asked, ours)
    if not asked.written:
        if target.broken:  # an invalid token, for example
            raise NoAccessError([Notice(target.name, target.broken)])
        found: CloudflareOptions = target.options
        return found
    given = asked.written
    base = dict(target.written)
    if any(one in given for one in _TOKENS):
        base = {key: value for key, value in base.items() if key not in _TOKENS}
    return _valid({**base, **given}, environ)


def _chosen(asked: AccessOptions, ours: list[Target]) -> Target:
    """Return the target whose account and token are used."""
    if not ours:
        raise _unclear(
            "no Cloudflare target is configured: say --account-id, and --token-file or --token-env"
        )
    if asked.target is not None:
        named = [one for one in ours if one.name == asked.target]
        if not named:
            from allowsync.text import quote

            known = ", ".join(one.name for one in ours)
            raise _unclear(
                f"there is no Cloudflare target {quote(asked.target)}; there are: {known}"
            )
        ours = named
    if asked.account_id is not None:
        matching = [one for one in ours if one.options.account_id == asked.account_id]
        if not matching:
            raise _unclear("no target is in that account: say --token-file or --token-env, too")
        ours = matching
    if len({(one.options.account_id, one.options.api_url) for one in ours}) > 1:
        names = ", ".join(one.name for one in ours)
        raise _unclear(f"more than one account is configured: say --target with one of {names}")
    return ours[0]


def _valid(written: Mapping[str, Any], environ: Mapping[str, str]) -> CloudflareOptions:
    """Validate options of the command line by the same schema as those of a configuration."""
    from allowsync.config import ConfigError
    from allowsync.config.kinds import INVALID, Reading
    from allowsync.config.schema.nodes import from_plain
    from allowsync.config.schema.object import Object
    from allowsync_backends.cloudflare.options import CloudflareOptions

    reading = Reading(Path("command line"), environ=environ, uid=os.geteuid())
    try:
        options = Object(CloudflareOptions).parse(from_plain(dict(written)), "", reading)
        reading.finish()
    except ConfigError as error:
        raise NoAccessError(
            Notice("command line", _as_typed(one.where, one.what)) for one in error.problems
        ) from None
    assert options is not INVALID  # noqa: S101 - `finish` would have raised
    return options


def _as_typed(where: str, what: str) -> str:
    key = where.rpartition(" ")[2]
    return f"{_OPTIONS[key]}: {what}" if key in _OPTIONS else what


def _path(given: str) -> str:
    """Return an absolute path; text that names no file may be a token, and stays as it is."""
    path = Path(given)
    return str(path.absolute()) if path.exists() or "/" in given else given


def _unclear(what: str) -> NoAccessError:
    return NoAccessError([Notice("command line", what)])
