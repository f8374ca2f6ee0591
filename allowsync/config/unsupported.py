"""What a configuration may say one day, but this version does not carry out.

A guard that is silently not applied would be worse than none, so each is an error until it works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.config.settings import ResolverSettings, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator


def unsupported(resolver: ResolverSettings) -> Iterator[tuple[str, str]]:
    """Key and complaint for each resolver setting that would have no effect."""
    for nameserver in resolver.nameservers:
        if nameserver.transport is not Transport.DNS:
            yield "nameservers", f"{nameserver}: encrypted DNS is not supported by this version"
