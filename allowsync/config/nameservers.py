"""The kind of nameservers: plain addresses, DNS over TLS, DNS over HTTPS."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, NoReturn

from allowsync.config.hostnames import Hostname
from allowsync.config.schema.kind import Leaf, UnfitError
from allowsync.config.schema.nodes import Scalar, ScalarType
from allowsync.model.nameserver import Nameserver, Transport
from allowsync.text import quote

DNS_PORT: Final = 53
TLS_PORT: Final = 853
HTTPS_PORT: Final = 443

# An address with or without brackets and port. Without brackets, colons belong to the address.
# Strings, compiled on use: few configurations name a server.
_BRACKETED: Final = r"\[([0-9A-Fa-f:.]+(?:%[\w.-]{1,15})?)\](?::([0-9]{1,5}))?"
_V4: Final = r"([0-9.]+)(?::([0-9]{1,5}))?"
_V6: Final = r"([0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%[\w.-]{1,15})?)()"
_FORMS: Final = (_V4, _BRACKETED, _V6)
_HTTPS: Final = (
    r"https://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/@?#:\[\]]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^\s#{}]*)"
)


class NameserverKind(Leaf[Nameserver]):
    """A name server, in one of the forms that `Nameserver` prints."""

    @property
    def expected(self) -> str:
        """The forms."""
        return (
            "a nameserver such as 192.0.2.53, [2001:db8::53]:5353, "
            "tls://192.0.2.53#dns.example.net or https://dns.example.net/dns-query"
        )

    def read(self, scalar: Scalar) -> Nameserver:
        """The name server."""
        if scalar.type is not ScalarType.TEXT:
            raise UnfitError
        text = scalar.text
        if text.startswith("tls://"):
            return _tls(text)
        if text.startswith("https://"):
            return _https(text)
        if "://" in text:
            raise UnfitError(f"{quote(text)}: only tls:// and https:// are known")
        address, port = _address(text, text, DNS_PORT)
        return Nameserver(address, port)

    def schema(self) -> dict[str, Any]:
        """Text."""
        return {"type": "string", "minLength": 2, "maxLength": 2048}

    def show(self, value: Nameserver) -> Any:
        """The form it is written in."""
        return str(value)


def _tls(text: str) -> Nameserver:
    rest, mark, name = text.removeprefix("tls://").partition("#")
    if not any(re.fullmatch(form, rest, re.ASCII) for form in _FORMS):
        raise UnfitError(
            f"{quote(text)} lacks the address of the nameserver: its name would have to be "
            f"resolved first, in clear text; write tls://ADDRESS#{name or 'NAME'}"
        )
    address, port = _address(rest, text, TLS_PORT)
    if mark and not name:
        raise UnfitError(
            f"{quote(text)} lacks the name its certificate must have: tls://{rest}#NAME, "
            f"or tls://{rest} for a certificate that holds the address itself"
        )
    checked = _certificate_name(name, text) if name else ""
    return Nameserver(address, port, Transport.TLS, name=checked)


def _certificate_name(name: str, written: str) -> str:
    try:
        return Hostname().read(Scalar(name, ScalarType.TEXT))
    except UnfitError as unfit:
        raise UnfitError(f"{quote(written)}: {unfit}") from None


def _https(text: str) -> Nameserver:
    match = re.fullmatch(_HTTPS, text, re.ASCII)
    if match is None:
        raise UnfitError(
            f"{quote(text)} is not the URL of a DoH server such as https://dns.example.net/dns-query"
        )
    host = match["host"]
    if host.startswith("["):
        _usable(host[1:-1], text)
    elif re.fullmatch(_V4, host):
        _usable(host, text)
    else:
        _certificate_name(host, text)
    port = _port(match["port"], text, HTTPS_PORT)
    return Nameserver("", port, Transport.HTTPS, url=text)


def _address(text: str, written: str, default_port: int) -> tuple[str, int]:
    for form in _FORMS:
        if match := re.fullmatch(form, text, re.ASCII):
            return _usable(match[1], written), _port(match[2], written, default_port)
    raise UnfitError(
        f"{quote(written)} is not the address of a nameserver: "
        "its name would have to be resolved first, so write an address such as 192.0.2.53"
    )


def _usable(text: str, written: str) -> str:
    """The address in its canonical form, if it can be a server's."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        _refuse(written, "it holds no valid address")
    if address.is_unspecified:
        _refuse(written, "the unspecified address belongs to no server")
    if address.is_multicast:
        _refuse(written, "a multicast address answers nothing")
    return str(address)


def _port(text: str | None, written: str, default: int) -> int:
    if not text:
        return default
    if not 1 <= int(text) <= 65535:
        _refuse(written, "a port is a number from 1 to 65535")
    return int(text)


def _refuse(written: str, why: str) -> NoReturn:
    raise UnfitError(f"{quote(written)} is not a nameserver: {why}")
