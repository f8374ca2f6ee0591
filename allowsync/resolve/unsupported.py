"""Nameservers that this version cannot speak to: every question to them fails at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.config.settings import Transport
from allowsync.resolve.failures import Failure, Kind

if TYPE_CHECKING:
    from allowsync.resolve.inquiry import Ask, Listener

_NAMES: Final = {Transport.TLS: "DNS over TLS", Transport.HTTPS: "DNS over HTTPS"}


class UnsupportedChannel:
    """Refuses every question rather than ask it in clear text. Implements `Channel`."""

    def __init__(self, transport: Transport, listener: Listener) -> None:
        self._failure = Failure(
            Kind.UNSUPPORTED, f"{_NAMES[transport]} is not supported by this version"
        )
        self._listener = listener

    def send(self, ask: Ask) -> None:
        """Fail."""
        self._listener.failed(ask, self._failure)

    def forget(self, ask: Ask) -> None:
        """Nothing was ever sent."""

    def close(self) -> None:
        """Nothing was ever opened."""
