"""A kubeconfig: its cluster and its user (client.authentication and clientcmd v1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.kubernetes.credentials import ClusterAccess, content, header_token, trust
from allowsync_backends.kubernetes.errors import NoAccess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from allowsync.config.secrets import Secret

_SERVER: Final = re.compile(r"https://[^\s/?#@]+(?:/[^\s?#]*)?")
# The token is sent there: in clear text only to this machine itself, as to `kubectl proxy`.
_LOCAL: Final = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?/?")

# Refused fields, each with advice.
_OF_CLUSTERS: Final = {
    "insecure-skip-tls-verify": "name the authority by certificate-authority",
    "proxy-url": "name the server itself",
}
_TOKEN: Final = "make a token: kubectl create token"  # noqa: S105 - the words of a message
_OF_USERS: Final = {
    "exec": f"it starts a program; {_TOKEN}, or a client certificate",
    "auth-provider": f"it starts a program; {_TOKEN}, or a client certificate",
    "username": f"no cluster takes passwords any more; {_TOKEN}",
    "password": f"no cluster takes passwords any more; {_TOKEN}",
    "as": f"write a user who may do it; {_TOKEN}",
}


class _Section:
    """A cluster, a user or a context, with its place for messages."""

    def __init__(self, path: Path, where: str, fields: Mapping[str, Any]) -> None:
        self.path = path
        self.where = where
        self._fields = fields

    def refuse(self, fields: Mapping[str, str]) -> None:
        """Raise NoAccess for a field that is set and must not be."""
        for name, advice in fields.items():
            if self._fields.get(name):
                raise self.wrong(f"{name} is not supported; nothing was asked; {advice}")

    def text(self, name: str) -> str | None:
        """Return a field; None where it is not set."""
        value = self._fields.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise self.wrong(f"{name} is no text; nothing was asked; put it in quotes")
        return value

    def pem(self, name: str, *, secret: bool = False) -> str | None:
        """Return `name-data`, decoded from base 64, or the file that `name` names."""
        if (encoded := self.text(f"{name}-data")) is not None:
            return self._decoded(name, encoded)
        file = self.text(name)
        return None if file is None else content(self.path.parent / file, secret=secret)

    def file(self, name: str) -> str | None:
        """Return the file that a field names, relative to the folder of the kubeconfig."""
        file = self.text(name)
        return None if file is None else content(self.path.parent / file)

    def wrong(self, what: str) -> NoAccess:
        """Return an error of this section."""
        return NoAccess(f"{self.path}: {self.where}: {what}")

    def _decoded(self, name: str, encoded: str) -> str:
        from base64 import b64decode

        try:
            return b64decode("".join(encoded.split()), validate=True).decode()
        except ValueError:
            raise self.wrong(
                f"{name}-data is no base 64; nothing was asked; write it anew"
            ) from None


def kubeconfig_access(path: Path, context: str | None) -> ClusterAccess:
    """Return the access that a kubeconfig describes.

    Args:
        path: The file.
        context: One of its contexts; None for its current one.

    Raises:
        NoAccess: It cannot be read, lacks something, or has a refused field.
    """
    document = _loaded(path)
    name = context or document.get("current-context")
    if not isinstance(name, str) or not name:
        raise NoAccess(f"{path}: no current-context; nothing was asked; name one by context")
    chosen = _section(path, document, "contexts", "context", name)
    cluster = _section(path, document, "clusters", "cluster", chosen.text("cluster"))
    user = _section(path, document, "users", "user", chosen.text("user"))
    cluster.refuse(_OF_CLUSTERS)
    user.refuse(_OF_USERS)
    server = cluster.text("server") or ""
    if not (_SERVER.fullmatch(server) or _LOCAL.fullmatch(server)):
        raise cluster.wrong("server is no https:// URL; nothing was asked; write where the API is")
    secure = server.startswith("https:")
    trusted = _trust(cluster, user) if secure else None
    return ClusterAccess(
        server.rstrip("/"), trusted, _token(user), cluster.text("tls-server-name") or ""
    )


def _trust(cluster: _Section, user: _Section) -> Any:
    certificate = user.pem("client-certificate")
    key = user.pem("client-key", secret=True)
    if (certificate is None) is not (key is None):
        raise user.wrong("half of a client certificate; nothing was asked; give its key, too")
    try:
        return trust(cluster.pem("certificate-authority"), certificate, key or "")
    except NoAccess as error:
        raise NoAccess(f"{cluster.path}: {error}") from None


def _token(user: _Section) -> Secret | None:
    """Return the token, by preference that of a file, as it is renewed there."""
    text = user.file("tokenFile")
    if text is None:
        text = user.text("token")
    return None if text is None else header_token(text, f"{user.where} of {user.path}")


def _section(
    path: Path, document: Mapping[str, Any], plural: str, singular: str, name: str | None
) -> _Section:
    """Return one of the named sections of a kubeconfig."""
    listed = document.get(plural)
    named = {
        one.get("name"): one.get(singular)
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict)
    }
    found = named.get(name)
    if not isinstance(found, dict):
        there = ", ".join(str(one) for one in named) or "none"
        what = f"{path}: no {singular} {name!r}; nothing was asked"
        raise NoAccess(f"{what}; name one of these: {there}")
    return _Section(path, f"{singular} {name!r}", found)


def _loaded(path: Path) -> dict[str, Any]:
    import yaml

    text = content(path)
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise NoAccess(f"{path}: it is no kubeconfig; nothing was asked; write it anew")
    return document
