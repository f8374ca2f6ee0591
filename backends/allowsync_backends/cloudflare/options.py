"""Options of a Cloudflare target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import mark
from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Front, Place
from allowsync.model.value import Value
from allowsync_backends.cloudflare.token_form import flaw

if TYPE_CHECKING:
    from allowsync.config.secrets import KeptSecret, Secret

API_URL: Final = "https://api.cloudflare.com/client/v4"

# The ports that its proxy passes on to origins (Cloudflare's "Network ports"), HTTP first.
PROXIED_PORTS: Final = (
    *(80, 8080, 8880, 2052, 2082, 2086, 2095),
    *(443, 2053, 2083, 2087, 2096, 8443),
)

# The token is sent there: in clear text only to this machine itself.
_URL: Final = (
    r"https://[^\s/?#@]+(?:/[^\s?#]*)?"
    r"|http://(?:127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?(?:/[^\s?#]*)?"
)

# Free and paid plans; Enterprise holds up to 500,000 (Cloudflare's "Availability" of lists).
USUAL_ITEMS: Final = 10_000
MOST_ITEMS: Final = 500_000


class CloudflareOptions(Value):
    """A list of addresses in a Cloudflare account."""

    account_id: str = option(
        lambda: kinds.Pattern("[0-9a-f]{32}", "an account id of 32 hexadecimal digits"),
        help="The id of the account with the list; Cloudflare's dashboard shows it beside the "
        "domain.",
    )
    list: str = option(
        lambda: kinds.Pattern("[a-z0-9_]{1,50}", "a list's name of 1 to 50 of a-z, 0-9 and `_`"),
        help="The list's name. Rules refer to it as `$name`.",
    )
    api_token_file: KeptSecret | None = option(
        lambda: kinds.SecretFile(flaw),
        help="A file with the API token. The token needs the permission *Account Filter Lists: "
        "Edit* for the account, which the API calls *Account Rule Lists Write*.",
        default=None,
    )
    api_token_env: KeptSecret | None = option(
        lambda: kinds.SecretEnv(flaw),
        help="Instead: an environment variable with it.",
        default=None,
    )
    api_token_credential: KeptSecret | None = option(
        lambda: kinds.SecretCredential(flaw),
        help="Instead: a systemd credential with it.",
        default=None,
    )
    create: bool = option(
        lambda: kinds.Boolean(),
        help="Whether to create the list if it does not exist.",
        default=True,
    )
    exclusive: bool = option(
        lambda: kinds.Boolean(),
        help="Whether every item of the list belongs to this target. Otherwise only items whose "
        "comment has its mark do, and all others stay.",
        default=False,
    )
    owner: str | None = option(
        lambda: kinds.Pattern(
            "[a-z0-9][a-z0-9.-]{0,31}", "a name of 1 to 32 of a-z, 0-9, `.` and `-`"
        ),
        help="Distinguishes machines that share a list and have allowlists of the same name "
        "with different hosts. Each needs a name of its own that stays the same.",
        default=None,
    )
    max_items: int = option(
        lambda: kinds.Integer(1, MOST_ITEMS),
        help="The most items that your Cloudflare plan allows in all lists of the account "
        "together.",
        default=USUAL_ITEMS,
    )
    api_url: str = option(
        lambda: kinds.Pattern(_URL, "an https:// URL (http:// only to this machine)"),
        help="The URL of the API.",
        default=API_URL,
    )

    def __post_init__(self) -> None:
        given = sum(one is not None for one in self._tokens)
        if given != 1:
            raise ValueError(
                "needs one of api_token_file, api_token_env and api_token_credential: "
                + ("none is given" if not given else f"{given} are given")
            )
        # Checked again for a configuration that was validated before, where no kind checks it.
        if wrong := flaw(self.token.value):
            raise ValueError(f"the API token: {wrong}")

    @property
    def token(self) -> Secret:
        """The API token."""
        return self._kept.secret

    @property
    def token_origin(self) -> str:
        """The path, or the name of the variable or credential, that holds the API token."""
        return self._kept.origin

    @property
    def _kept(self) -> KeptSecret:
        return next(one for one in self._tokens if one is not None)

    @property
    def _tokens(self) -> tuple[KeptSecret | None, ...]:
        return (self.api_token_file, self.api_token_env, self.api_token_credential)

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the list; where it is shared, also our marked items in it."""
        name = (self.account_id, self.list)
        if self.exclusive:
            return (Place("Cloudflare list", name),)
        marked = Place(
            "items of a Cloudflare list", (*name, f"{mark(allowlist)}:{self.owner or ''}")
        )
        return (Place("Cloudflare list", name, shared=True), marked)

    def front(self) -> Front:
        """Return Cloudflare's proxy, whose rules use the list."""
        return Front("cloudflare", PROXIED_PORTS)


class CloudflareDenyOptions(CloudflareOptions):
    """A list of blocked addresses, for rules that block those in it."""

    list: str = option(
        lambda: kinds.Pattern("[a-z0-9_]{1,50}", "a list's name of 1 to 50 of a-z, 0-9 and `_`"),
        help="The list's name, which no allowlist of any machine may use. Rules refer to it as "
        "`$name`.",
    )

    def places(self, allowlist: str) -> tuple[Place, ...]:  # noqa: ARG002 - no other has the list
        """Return the whole list: an item admitted by one rule must not be blocked by another."""
        return (Place("Cloudflare list", (self.account_id, self.list)),)
