"""Secrets: referred to in the configuration, kept outside of it.

The kinds that read them from a configuration are in `allowsync.config.secret_kinds`.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from allowsync.config.secure_file import FileRequirements, MissingError, RefusedError, read_checked
from allowsync.model.value import Value, field

if TYPE_CHECKING:
    from collections.abc import Mapping


class Secret(Value):
    """A value that is never shown: masked in every text made from it."""

    value: str

    def __repr__(self) -> str:
        return "****"

    __str__ = __repr__


LARGEST_SECRET: Final = 64 * 1024


ANY_SCHEME: Final = "[A-Za-z][A-Za-z0-9+.-]*"


class SecretStore(Enum):
    """The store of a secret."""

    FILE = "file"
    ENVIRONMENT = "environment"
    CREDENTIAL = "credential"


class KeptSecret(Value):
    """A secret and its place.

    Attributes:
        origin: The absolute path, or the name of the variable or credential. Safe to show.
        secret: The secret kept there.
        store: The kind of that place.
        unreadable: The reason why it cannot be read; empty if it can.
    """

    origin: str
    secret: Secret
    store: SecretStore = field(default=SecretStore.FILE, compare=False)
    unreadable: str = field(default="", compare=False)


class UrlForm(NamedTuple):
    """The form of a URL that may be secret: a description, and its scheme as an expression."""

    expected: str
    schemes: str = ANY_SCHEME

    @property
    def regex(self) -> str:
        """The whole URL as an expression."""
        return rf"(?:{self.schemes})://[^\s/][^\s]*"

    def fits(self, text: str) -> bool:
        """Whether a text is a URL of this form."""
        return re.fullmatch(self.regex, text) is not None


def fetched(store: SecretStore, origin: str, environ: Mapping[str, str], uid: int) -> Secret:
    """The secret from its store. Raises RefusedError."""
    match store:
        case SecretStore.FILE:
            return secret_from_file(Path(origin), uid)
        case SecretStore.ENVIRONMENT:
            return secret_from_environment(origin, environ)
        case SecretStore.CREDENTIAL:
            return secret_from_credential(origin, environ, uid)
        case _:
            assert_never(store)


def secret_from_file(path: Path, uid: int) -> Secret:
    """The secret in a file, without the newline at its end.

    Raises:
        RefusedError: The file is missing, empty, too large or not text; or root reads, and others
            may read or change it.
    """
    try:
        return _secret(read_checked(path, FileRequirements(uid, LARGEST_SECRET, secret=True)))
    except MissingError as missing:
        raise MissingError(f"{missing}; write the secret into it, with mode 600") from None


def secret_from_environment(name: str, environ: Mapping[str, str]) -> Secret:
    """The secret in an environment variable.

    Raises:
        RefusedError: It is not set, or empty.
    """
    if name not in environ:
        raise RefusedError("this environment variable is not set")
    return _secret(environ[name].encode(errors="surrogateescape"))


def secret_from_credential(name: str, environ: Mapping[str, str], uid: int) -> Secret:
    """The secret that systemd passes as a credential (systemd.exec(5), `LoadCredential=`).

    Raises:
        RefusedError: There is none of that name.
    """
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder.startswith("/"):
        raise RefusedError("systemd passes no credentials to this process")
    demands = FileRequirements(uid, LARGEST_SECRET, secret=True, vouched=True)
    return _secret(read_checked(Path(folder) / name, demands))


def _secret(content: bytes) -> Secret:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise RefusedError("what it holds is not UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise RefusedError("it is empty")
    if "\n" in text or "\r" in text:
        raise RefusedError("it holds more than one line: a secret is one line")
    if not text.isprintable():
        raise RefusedError("it holds a control character")
    return Secret(text)
