"""Secrets: named in the configuration, kept outside of it.

A backend that needs one offers up to three options, of which one is to be set:

    api_token_file: KeptSecret | None = option(SecretFile(), help="…", default=None)
    api_token_env: KeptSecret | None = option(SecretEnv(), help="…", default=None)
    api_token_credential: KeptSecret | None = option(SecretCredential(), help="…", default=None)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.schema.kind import Kind, Leaf, UnfitError
from allowsync.config.schema.nodes import Node, Scalar, ScalarType
from allowsync.config.schema.scalar_kinds import Pattern, Text
from allowsync.config.secure_file import FileRequirements, RefusedError, read_checked
from allowsync.model.value import Value
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping


if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.config.schema.context import Invalid, Reading


class Secret(Value):
    """A value that is never shown: it masks itself in every text made from it."""

    value: str

    def __repr__(self) -> str:
        return "****"

    __str__ = __repr__


LARGEST_SECRET: Final = 64 * 1024


class KeptSecret(Value):
    """A secret, and where it is kept.

    Attributes:
        origin: The absolute path, the variable's or the credential's name. Safe to show.
        secret: What is kept there.
    """

    origin: str
    secret: Secret


def secret_from_file(path: Path, uid: int) -> Secret:
    """The secret a file holds, without the newline at its end.

    Raises:
        RefusedError: The file is missing, empty, too large or not text; or root reads, and others
            may read or change it.
    """
    return _secret(read_checked(path, FileRequirements(uid, LARGEST_SECRET, secret=True)))


def secret_from_environment(name: str, environ: Mapping[str, str]) -> Secret:
    """The secret an environment variable holds.

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
    if not text.isprintable():
        raise RefusedError("it holds a control character or more than one line")
    return Secret(text)


class _Kept(Kind[KeptSecret]):
    """A secret that is named by text.

    What does not look like a name is never shown: it may be the secret itself.
    """

    name: Text

    @property
    def expected(self) -> str:
        """What is to be written."""
        return self.name.expected

    def parse(self, node: Node, at: str, reading: Reading) -> KeptSecret | Invalid:
        """The secret, read."""
        if not isinstance(node, Scalar) or node.type is not ScalarType.TEXT:
            return reading.problem(node, at, f"expected {self.expected}")
        try:
            origin = self.origin(self.name.read(node), reading)
        except UnfitError:
            return reading.problem(node, at, f"expected {self.expected}, not the secret itself")
        try:
            return KeptSecret(origin, self.fetch(origin, reading))
        except RefusedError as refused:
            what = f"{quote(node.text)}: {refused}"
            if reading.missing(node, at, what):
                return KeptSecret(origin, Secret(""))
            return reading.problem(node, at, what)

    def origin(self, text: str, reading: Reading) -> str:  # noqa: ARG002 - the path needs it
        """What is written, independent of the configuration's folder."""
        return text

    def fetch(self, origin: str, reading: Reading) -> Secret:
        """The secret kept there. Raises RefusedError."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Text."""
        return self.name.schema()

    def show(self, value: KeptSecret) -> Any:
        """Where it is kept."""
        return value.origin


class SecretFile(_Kept):
    """A file that holds a secret. A path needs a `/` or a dot in it, as tokens have none."""

    name = Pattern(r"(?=.*[/.]).+", "the path of a file that holds the secret", longest=1024)

    def origin(self, text: str, reading: Reading) -> str:
        """The absolute path."""
        return str(reading.folder / text)

    def fetch(self, origin: str, reading: Reading) -> Secret:
        """What the file holds."""
        return secret_from_file(reading.here(Path(origin)), reading.uid)


class SecretEnv(_Kept):
    """An environment variable that holds a secret."""

    name = Pattern(
        "[A-Z_][A-Z0-9_]{0,63}", "the name of an environment variable that holds the secret"
    )

    def fetch(self, origin: str, reading: Reading) -> Secret:
        """What the variable holds."""
        return secret_from_environment(origin, reading.environ)


class SecretCredential(_Kept):
    """A systemd credential that holds a secret."""

    name = Pattern("[a-z][a-z0-9_.-]{0,63}", "the name of a systemd credential")

    def fetch(self, origin: str, reading: Reading) -> Secret:
        """What the credential holds."""
        return secret_from_credential(origin, reading.environ, reading.uid)


class SecretUrl(Leaf[Secret]):
    """A URL that may hold a token or a password. No message shows it."""

    hidden = True

    def __init__(self, expected: str, schemes: str = "[A-Za-z][A-Za-z0-9+.-]*") -> None:
        self._text = Pattern(rf"(?:{schemes})://[^\s/][^\s]*", expected, longest=2048)

    @property
    def expected(self) -> str:
        """What the URL is of."""
        return self._text.expected

    def fits(self, text: str) -> bool:
        """Whether a text is such a URL."""
        return self._text.regex.fullmatch(text) is not None

    def read(self, scalar: Scalar) -> Secret:
        """The URL as a secret."""
        try:
            return Secret(self._text.read(scalar))
        except UnfitError:
            raise UnfitError(self.complaint(scalar)) from None

    def complaint(self, node: Node) -> str:  # noqa: ARG002 - the point is not to show it
        """What is expected, without the value."""
        return f"expected {self.expected} (what is written there is not shown: it may be secret)"

    def schema(self) -> dict[str, Any]:
        """Text with a scheme."""
        return self._text.schema()

    def show(self, value: Secret) -> Any:
        """Stars."""
        return str(value)
