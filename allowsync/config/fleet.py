"""The section `fleet`: the fleet of this machine, and the store that carries its decisions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.value import Value

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.secrets import KeptSecret

# Documents hold names of hosts: unencrypted HTTP only to this machine itself.
_URL: Final = (
    r"https://[^\s/?#@]+(?:/[^\s?#]*)?"
    r"|http://(?:127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?(?:/[^\s?#]*)?"
)
_KEY: Final = r"ed25519:[A-Za-z0-9+/]{43}="
MOST_KEYS: Final = 3
_DAY: Final = timedelta(days=1)


def _url() -> kinds.Pattern:
    return kinds.Pattern(_URL, "an https:// URL (http:// only to this machine)")


class HttpsStoreOptions(Value):
    """A read-only folder of a web server."""

    url: str = option(_url, help="The folder's URL. The document of a list is `URL/NAME.json`.")
    ca: Path | None = option(
        lambda: kinds.AbsolutePath("the path of a file"),
        help="A file of trusted CA certificates for the server. Default: the system's.",
        default=None,
    )


class EtcdStoreOptions(Value):
    """An etcd cluster."""

    endpoints: tuple[str, ...] = option(
        lambda: kinds.ListOf(_url(), unique=True, least=1),
        help="The members' client URLs. A run uses any of them, and the next one if that fails.",
    )
    ca: Path | None = option(
        lambda: kinds.AbsolutePath("the path of a file"),
        help="A file of trusted CA certificates for the members. Default: the system's.",
        default=None,
    )
    user: str | None = option(
        lambda: kinds.Pattern("[A-Za-z0-9_.-]{1,64}", "the name of a user of etcd"),
        help="The etcd user; needs a password.",
        default=None,
    )
    password_file: KeptSecret | None = option(
        lambda: kinds.SecretFile(), help="A file that holds the password.", default=None
    )
    password_env: KeptSecret | None = option(
        lambda: kinds.SecretEnv(), help="Instead: an environment variable.", default=None
    )
    password_credential: KeptSecret | None = option(
        lambda: kinds.SecretCredential(), help="Instead: a systemd credential.", default=None
    )
    prefix: str = option(
        lambda: kinds.Pattern(
            "/[a-z0-9_.-]{1,64}(?:/[a-z0-9_.-]{1,64})*", "a path such as /allowsync"
        ),
        help="The prefix of the keys: `PREFIX/FLEET/lists/NAME`.",
        default="/allowsync",
    )

    def __post_init__(self) -> None:
        if (self.user is not None) != (len(self._passwords) == 1) or len(self._passwords) > 1:
            raise ValueError(
                "needs user and one of password_file, password_env and password_credential, or none"
            )

    @property
    def _passwords(self) -> list[KeptSecret]:
        given = (self.password_file, self.password_env, self.password_credential)
        return [one for one in given if one is not None]

    @property
    def credentials(self) -> tuple[str, str] | None:
        """Name and password; None without a user."""
        if self.user is None:
            return None
        return self.user, self._passwords[0].secret.value


class StoreOptions(Value):
    """The store of the documents: one of the three."""

    file: Path | None = option(
        lambda: kinds.AbsolutePath("the path of a folder"),
        help="A folder with a file for each document. Only one machine publishes.",
        default=None,
    )
    https: HttpsStoreOptions | None = option(
        lambda: kinds.Object(HttpsStoreOptions),
        help="A web server or a bucket that serves such a folder.",
        default=None,
    )
    etcd: EtcdStoreOptions | None = option(
        lambda: kinds.Object(EtcdStoreOptions),
        help="etcd: several machines can publish; one is the leader at a time.",
        default=None,
    )

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.file, self.https, self.etcd)) != 1:
            raise ValueError("expected one of file, https and etcd")

    @property
    def said(self) -> str:
        """The location of the store, distinct for each."""
        if self.file is not None:
            return str(self.file)
        if self.https is not None:
            return self.https.url
        assert self.etcd is not None  # noqa: S101 - `__post_init__` checked it
        return f"{','.join(self.etcd.endpoints)}{self.etcd.prefix}"


class Fleet(Value):
    """A fleet: machines that share decisions."""

    name: str = option(
        lambda: kinds.Pattern(
            "[a-z][a-z0-9_-]{0,30}", "a name of 1 to 31 of a-z, 0-9, `_` and `-`"
        ),
        help="The fleet's name. A document for another fleet is rejected.",
    )
    store: StoreOptions = option(
        lambda: kinds.Object(StoreOptions), help="The store of the documents."
    )
    keys: tuple[str, ...] = option(
        lambda: kinds.ListOf(
            kinds.Pattern(_KEY, "a public key such as `allowsync fleet keygen` prints"),
            unique=True,
            least=1,
        ),
        help="The public keys, one to three. A document that none of them signed is rejected.",
    )
    signing_key_file: KeptSecret | None = option(
        lambda: kinds.SecretFile(),
        help="For a machine that publishes: a file with the private key.",
        default=None,
    )
    signing_key_env: KeptSecret | None = option(
        lambda: kinds.SecretEnv(), help="Instead: an environment variable.", default=None
    )
    signing_key_credential: KeptSecret | None = option(
        lambda: kinds.SecretCredential(), help="Instead: a systemd credential.", default=None
    )
    machine: str | None = option(
        lambda: kinds.Pattern("[A-Za-z0-9._-]{1,64}", "the name of a machine"),
        help="This machine's name in the fleet. Default: its hostname.",
        default=None,
    )
    lease: timedelta = option(
        lambda: kinds.Duration(zero=False, longest=_DAY),
        help="How long a silent machine remains the leader. Longer than the time between two runs.",
        default=timedelta(minutes=15),
    )
    interval: timedelta = option(
        lambda: kinds.Duration(zero=False, longest=7 * _DAY),
        help="How often an unchanged list is published. Without a new document for twice that "
        "time, it is outdated.",
        default=timedelta(hours=1),
    )
    epoch: int = option(
        lambda: kinds.Integer(1, 1_000_000),
        help="Raise it on every machine that publishes if their documents get lower numbers "
        "than before: a clock was ahead, and the store and the states of those machines "
        "are lost.",
        default=1,
    )

    def __post_init__(self) -> None:
        if len(self.keys) > MOST_KEYS:
            raise ValueError(f"at most {MOST_KEYS} keys")
        if len(self._signing_keys) > 1:
            raise ValueError(
                "expected one of signing_key_file, signing_key_env and signing_key_credential"
            )

    @property
    def _signing_keys(self) -> list[KeptSecret]:
        given = (self.signing_key_file, self.signing_key_env, self.signing_key_credential)
        return [one for one in given if one is not None]

    @property
    def signing_key(self) -> KeptSecret | None:
        """The private key; None on a follower."""
        return self._signing_keys[0] if self._signing_keys else None
