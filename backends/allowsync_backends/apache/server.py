"""Apache as a server: its configuration check and its reload."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

from allowsync_backends.common.server.reader import ServerProgram
from allowsync_backends.common.server.supervisor import ReloadMethod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.model.target import Effect, Finding, TrustedProxies
    from allowsync_backends.apache.options import ApacheOptions


def apache(options: ApacheOptions, effect: Effect) -> ServerProgram:
    """Return Apache's particulars (httpd(8)).

    A graceful restart starts new children once the new configuration is read; the old ones accept
    no new connection from then on, and end with their current requests.
    """
    return ServerProgram(
        "apache",
        check=(*options.command, "-t"),
        notice=ReloadMethod((*options.command, "-k", "graceful"), signal.SIGUSR1),
        renews=True,
        inspect=partial(_findings, options, effect),
        proxies=partial(_proxies, options),
        spawns=True,
    )


def _findings(options: ApacheOptions, effect: Effect, path: Path) -> Iterator[Finding]:
    # Imported here: a run does not read a configuration.
    from allowsync_backends.apache.check import findings

    return findings(options, effect, path)


def _proxies(options: ApacheOptions, path: Path) -> TrustedProxies | None:
    from allowsync_backends.apache.check import trusted_proxies

    return trusted_proxies(options, path)
