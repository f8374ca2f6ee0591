"""The TLS contexts of nameservers, and certificate errors.

The certificate must be valid for the name or the address that the configuration gives (the strict
profile of RFC 8310 section 5), by the authorities that this system trusts. There is no fallback:
after a failure nothing is asked in clear text, nor without checking the certificate.

Imported only where a nameserver is asked over TLS: `ssl` and the system's certificates take longer
to load than most runs take.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.dns.failure import Failure, FailureKind
from allowsync.dns.nameservers import unreachable

if TYPE_CHECKING:
    from allowsync.model.nameserver import Nameserver

NEEDS_H2: Final = "HTTP/2 needs the package h2; docs/install.md says how to add it"

_HASH: Final = 8  # letters of the name that a certificate is looked up by
_ALERT: Final = "_ALERT_"
_NO_PROTOCOL: Final = "no application protocol"  # RFC 7301 section 3.2, as OpenSSL words it

# X509_V_ERR_… of OpenSSL's x509_vfy.h.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_UNTRUSTED: Final = (2, 7, 18, 19, 20, 21, 27)
_MISMATCH: Final = (62, 64)


def trust(protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Return a context with this system's authorities: `SSL_CERT_FILE` and `_DIR`, or OpenSSL's.

    TLS 1.2 or newer; certificate and name are checked (RFC 7525, RFC 8310). Unlike
    `ssl.create_default_context` it writes no keys to a file that the environment names.

    Args:
        protocols: The protocols to offer by ALPN.
    """
    return _trust(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), protocols)


@lru_cache(maxsize=2)  # once a run for TLS and for HTTPS: it takes some ten milliseconds
def _trust(_file: str | None, _folder: str | None, protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the certificate and its name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_default_verify_paths()
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def load(protocols: tuple[str, ...] = ()) -> None:
    """Read a folder of authorities, if there is one, for the context of `trust`.

    OpenSSL would open the file it needs during the handshake, when this process may open nothing
    any more. Unreadable files are skipped, as OpenSSL does.
    """
    context, folder = trust(protocols), ssl.get_default_verify_paths().capath
    with suppress(OSError):
        for path in sorted(Path(folder).iterdir()) if folder else ():
            stem, _, number = path.name.partition(".")
            if len(stem) == _HASH and number.isdecimal():  # c_rehash(1)
                with suppress(OSError):
                    context.load_verify_locations(cafile=path)


def broken(
    nameserver: Nameserver, name: str, error: OSError, protocols: tuple[str, ...] = ()
) -> Failure:
    """Return the failure of a handshake: as `distrust`, or a connection that ended early."""
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError)):
        what = f"{nameserver} closed the connection in the middle of the TLS handshake"
        return Failure(FailureKind.STREAM, what)
    if isinstance(error, ssl.SSLError):
        return distrust(nameserver, name, error, protocols)
    return unreachable(nameserver, error)


def distrust(
    nameserver: Nameserver, name: str, error: ssl.SSLError, protocols: tuple[str, ...] = ()
) -> Failure:
    """Return the failure of a handshake, with advice.

    Args:
        nameserver: The nameserver asked.
        name: The name or address that its certificate must be valid for.
        error: The error of OpenSSL.
        protocols: The protocols offered to it.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(_about_certificate(nameserver, name, error))
    said = (error.reason or str(error)).lower().replace("_", " ")
    if protocols and _NO_PROTOCOL in said:
        hint = f"; {NEEDS_H2}" if len(protocols) == 1 else ""
        return _untrusted(f"{nameserver} refused to speak {' or '.join(protocols)}{hint}")
    if _ALERT in (error.reason or ""):
        return _untrusted(f"{nameserver} refused the TLS handshake: {said}")
    return _untrusted(f"{nameserver} does not speak TLS on that port: {said}")


def _about_certificate(
    nameserver: Nameserver, name: str, error: ssl.SSLCertVerificationError
) -> str:
    code, said = error.verify_code, error.verify_message
    if code in _MISMATCH:
        return f"the certificate of {nameserver} is not good for {name}: check the name"
    if code == _EXPIRED:
        return f"the certificate of {nameserver} has expired, or this machine's clock is wrong"
    if code == _NOT_YET_VALID:
        return f"the certificate of {nameserver} is not valid yet; is this machine's clock right?"
    if code not in _UNTRUSTED:
        return f"the certificate of {nameserver} is not good: {said}"
    return (
        f"the certificate of {nameserver} is from no authority that this machine trusts ({said}): "
        "check the address, and that ca-certificates is installed"
    )


def _untrusted(reason: str) -> Failure:
    return Failure(FailureKind.UNTRUSTED, reason)
