"""The kinds of secrets: a reference to a store, or a URL that may hold one.

A backend that needs a secret offers up to three options, of which one is to be set:

    api_token_file: KeptSecret | None = option(SecretFile(), help="…", default=None)
    api_token_env: KeptSecret | None = option(SecretEnv(), help="…", default=None)
    api_token_credential: KeptSecret | None = option(SecretCredential(), help="…", default=None)

Each takes a function that checks the form of the stored secret, so that a malformed one is refused
before it is sent anywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from allowsync.config.schema.kind import Kind, Leaf, UnfitError
from allowsync.config.schema.nodes import Node, Scalar, ScalarType
from allowsync.config.schema.scalar_kinds import Pattern, Text
from allowsync.config.secrets import (
    ANY_SCHEME,
    KeptSecret,
    Secret,
    SecretStore,
    UrlForm,
    fetched,
)
from allowsync.config.secure_file import RefusedError
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync.config.schema.context import Invalid, Reading


def _any_form(secret: str) -> str:  # noqa: ARG001 - whatever it is
    return ""


class _Kept(Kind[KeptSecret]):
    """A secret that is referred to by name.

    Text that does not look like a name is never shown: it may be the secret itself.

    Args:
        flaw: Returns the fault in a secret's form, without quoting it; empty for a valid one.
    """

    name: Text
    store: ClassVar[SecretStore]

    def __init__(self, flaw: Callable[[str], str] = _any_form) -> None:
        self.flaw = flaw

    @property
    def expected(self) -> str:
        """The description of the name."""
        return self.name.expected

    def parse(self, node: Node, at: str, reading: Reading) -> KeptSecret | Invalid:
        """The secret, read from its store."""
        if not isinstance(node, Scalar) or node.type is not ScalarType.TEXT:
            return reading.problem(node, at, f"expected {self.expected}")
        try:
            origin = self.origin(self.name.read(node), reading)
        except UnfitError:
            return reading.problem(node, at, f"expected {self.expected}, not the secret itself")
        try:
            found = fetched(self.store, self.here(origin, reading), reading.environ, reading.uid)
            if flaw := self.flaw(found.value):
                raise RefusedError(flaw)
            return KeptSecret(origin, found, self.store)
        except RefusedError as refused:
            what = f"{quote(node.text)}: {refused}"
            if why := reading.missing(node, at, what):
                return KeptSecret(origin, Secret(""), self.store, why)
            return reading.problem(node, at, what)

    def origin(self, text: str, reading: Reading) -> str:  # noqa: ARG002 - the path needs it
        """The name, independent of the configuration's folder."""
        return text

    def here(self, origin: str, reading: Reading) -> str:  # noqa: ARG002 - the path needs it
        """The place of the secret on this system."""
        return origin

    def schema(self) -> dict[str, Any]:
        """Text."""
        return self.name.schema()

    def show(self, value: KeptSecret) -> Any:
        """The name of the secret in its store."""
        return value.origin


class SecretFile(_Kept):
    """A file that holds a secret. A path needs a `/` or a dot in it, as tokens have none."""

    store = SecretStore.FILE
    name = Pattern(r"(?=.*[/.]).+", "the path of a file that holds the secret", longest=1024)

    def origin(self, text: str, reading: Reading) -> str:
        """The absolute path."""
        return str(reading.folder / text)

    def here(self, origin: str, reading: Reading) -> str:
        """The path below the root of the target system."""
        return str(reading.here(Path(origin)))


class SecretEnv(_Kept):
    """An environment variable that holds a secret."""

    store = SecretStore.ENVIRONMENT
    name = Pattern(
        "[A-Z_][A-Z0-9_]{0,63}", "the name of an environment variable that holds the secret"
    )


class SecretCredential(_Kept):
    """A systemd credential that holds a secret."""

    store = SecretStore.CREDENTIAL
    name = Pattern("[a-z][a-z0-9_.-]{0,63}", "the name of a systemd credential")


class SecretUrl(Leaf[Secret]):
    """A URL that may hold a token or a password. No message shows it."""

    hidden = True

    def __init__(self, expected: str, schemes: str = ANY_SCHEME) -> None:
        self._text = Pattern(UrlForm(expected, schemes).regex, expected, longest=2048)

    @property
    def expected(self) -> str:
        """The description of the URL."""
        return self._text.expected

    def read(self, scalar: Scalar) -> Secret:
        """The URL as a secret."""
        try:
            return Secret(self._text.read(scalar))
        except UnfitError:
            raise UnfitError(self.complaint(scalar)) from None

    def complaint(self, node: Node) -> str:  # noqa: ARG002 - the point is not to show it
        """The message about an invalid value, without the value."""
        return f"expected {self.expected} (what is written there is not shown: it may be secret)"

    def schema(self) -> dict[str, Any]:
        """Text with a scheme."""
        return self._text.schema()

    def show(self, value: Secret) -> Any:
        """Stars."""
        return str(value)
