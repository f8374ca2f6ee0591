"""The kind of hostnames: absolute names in A-labels, fit for DNS queries."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any, Final

from allowsync.config.schema.kind import Leaf, UnfitError
from allowsync.config.schema.nodes import Scalar, ScalarType
from allowsync.text import quote

LONGEST_NAME: Final = 253
LONGEST_LABEL: Final = 63
LONGEST_WRITTEN: Final = 1024

# Letters, digits and inner hyphens (RFC 1123, section 2.1); underscores because they are in use.
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_USUAL: Final = re.compile(rf"(?:{_LABEL}\.)+[a-z_](?:[a-z0-9_-]{{0,61}}[a-z0-9_])?")
_ODD: Final = "[^a-z0-9_.-]"


class Hostname(Leaf[str]):
    """A whole hostname. Values are lower case, in A-labels (RFC 5890), without the final dot."""

    @property
    def expected(self) -> str:
        """An example."""
        return "a hostname such as alice.example.org"

    def read(self, scalar: Scalar) -> str:
        """The name, normalised."""
        if scalar.type is not ScalarType.TEXT:
            raise UnfitError
        name = scalar.text
        if len(name) > LONGEST_WRITTEN:
            raise UnfitError(f"{quote(name)} is longer than {LONGEST_NAME} characters")
        if not name.isascii():
            name = _to_ascii(name)
        name = name.lower().removesuffix(".")
        if len(name) > LONGEST_NAME or not _USUAL.fullmatch(name):
            raise UnfitError(_fault(name, quote(scalar.text)))
        return name

    def schema(self) -> dict[str, Any]:
        """A string schema of bounded length; the characters of a name are not in it."""
        return {"type": "string", "minLength": 3, "maxLength": LONGEST_NAME + 1}


def _to_ascii(name: str) -> str:
    """The name in A-labels, as browsers convert it (UTS 46, non-transitional)."""
    if not name.isprintable():
        raise UnfitError(f"{quote(name)} holds a control or invisible character")
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise UnfitError(f"{quote(name)} is not a valid internationalised name") from None


def _fault(name: str, written: str) -> str:
    """The problem of a name, given in lower case and without the final dot."""
    if not name:
        return f"expected a hostname such as alice.example.org, got {written}"
    if address := _address_fault(name, written):
        return address
    if "://" in name:
        return f"{written} is a URL, not a hostname"
    if odd := re.search(_ODD, name):
        return f"{written} is not a hostname: {quote(odd[0])} cannot be in one"
    labels = name.split(".")
    if "" in labels:
        return (
            f"{written} is not a hostname: there is nothing between two dots, or before the first"
        )
    if any(len(label) > LONGEST_LABEL for label in labels):
        return f"{written} is not a hostname: a part is longer than {LONGEST_LABEL} characters"
    if len(name) > LONGEST_NAME:
        return f"{written} is longer than {LONGEST_NAME} characters"
    if any(label.startswith("-") or label.endswith("-") for label in labels):
        return f"{written} is not a hostname: a part begins or ends with a hyphen"
    if len(labels) == 1:
        return (
            f"{written} is not a whole hostname: names are resolved as written, without a search "
            "list, so write the domain too, such as nas.home.arpa"
        )
    return f"{written} ends in a number like an address, which no hostname does"


def _address_fault(name: str, written: str) -> str:
    """The problem of an address given as a name; empty if it is none."""
    bare = name.strip("[]").partition("%")[0]
    try:
        ip_network(bare, strict=False)
    except ValueError:
        odd = re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", name)  # such as 8.8.8.300 and 010.0.0.1
        return f"{written} is no valid IPv4 address, and no hostname" if odd else ""
    network = f'"{bare}"' if ":" in bare else bare
    return (
        f"{written} is an address, not a hostname: fixed addresses belong under `networks`, "
        f"such as {{networks: [{network}]}}"
    )
