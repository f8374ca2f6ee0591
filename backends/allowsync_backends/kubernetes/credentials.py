"""Credentials of a cluster: its URL, the trusted certificates, and our own identity."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from allowsync.config.secrets import LARGEST_SECRET, Secret
from allowsync.config.secure_file import FileRequirements, RefusedError, read_checked
from allowsync_backends.kubernetes.errors import NoAccess

if TYPE_CHECKING:
    from pathlib import Path
    from ssl import SSLContext


class ClusterAccess(NamedTuple):
    """One cluster, and our identity there.

    Attributes:
        server: The URL of its API, without a slash at the end.
        trust: The trusted certificates, and our own; None for http:// to this machine.
        token: The bearer token, if there is one.
        name: The name that the server's certificate must have, where it is not that of the URL.
    """

    server: str
    trust: SSLContext | None
    token: Secret | None = None
    name: str = ""


def content(path: Path, *, secret: bool = True, vouched: bool = False) -> str:
    """Return the content of a file.

    Raises:
        NoAccess: It is unreadable; or root reads, and others could change it, or read a secret.
    """
    demands = FileRequirements(os.geteuid(), 16 * LARGEST_SECRET, secret=secret, vouched=vouched)
    try:
        return read_checked(path, demands).decode()
    except RefusedError as error:
        raise NoAccess(f"{path}: {error}; nothing was asked; see that it can be read") from None
    except UnicodeDecodeError:
        raise NoAccess(f"{path}: it is no text; nothing was asked; write it anew") from None


def header_token(text: str, whose: str) -> Secret:
    """Return a token that can be sent.

    Raises:
        NoAccess: The text is no token.
    """
    token = text.strip()
    if not (token and token.isascii() and token.isprintable() and " " not in token):
        raise NoAccess(f"the token of {whose} is none; nothing was asked; write the token alone")
    return Secret(token)


def trust(authority: str | None, certificate: str | None = None, key: str = "") -> SSLContext:
    """Return a context with the trusted certificates, and our own with its key, all in PEM.

    Raises:
        NoAccess: One of them is no certificate or no key.
    """
    from ssl import VERIFY_X509_STRICT, create_default_context

    try:
        made = create_default_context(cadata=authority)
        # Python 3.13 refuses authorities without a key identifier, as many clusters have.
        made.verify_flags &= ~VERIFY_X509_STRICT
        if certificate is not None:
            _load(made, f"{certificate}\n{key}")
    except (OSError, ValueError) as error:
        what = getattr(error, "reason", None) or type(error).__name__
        raise NoAccess(
            f"the certificates cannot be used ({what}); nothing was asked; "
            "write certificates and key in PEM, without a password"
        ) from None
    return made


def _load(made: SSLContext, pem: str) -> None:
    """Load our certificate and key into a context, by a memfd: OpenSSL reads them from a file."""
    descriptor = os.memfd_create("allowsync", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pem.encode())
        made.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
    finally:
        os.close(descriptor)


def _no_password() -> str:
    """Return an empty password: none is asked for at a terminal."""
    return ""
