"""nginx as a server: how it checks its configuration, reads it again, and is looked into."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import TYPE_CHECKING

from allowsync.model.value import replace
from allowsync_backends.common.server.reader import ServerProgram, printed
from allowsync_backends.common.server.supervisor import ReloadMethod
from allowsync_backends.nginx.options import Style

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.model.target import Effect, Finding, TrustedProxies
    from allowsync_backends.nginx.configuration import NginxDirective
    from allowsync_backends.nginx.options import NginxOptions


def nginx(options: NginxOptions, variable: str, effect: Effect) -> ServerProgram:
    """What is particular about nginx ("Controlling nginx" in its manual).

    Told to, the main process reads the configuration and starts new workers; the old ones close
    their doors a tenth of a second later, say so in their title, and end what they began. Where the
    configuration cannot be taken, the old workers stay and no new ones come.

    Args:
        options: How it is called.
        variable: The variable of a file with a `geo` block, without `$`.
        effect: What is to become of the networks in the file.
    """
    return ServerProgram(
        "nginx",
        check=(*options.command, "-t", "-q"),
        notice=ReloadMethod((*options.command, "-s", "reload"), signal.SIGHUP),
        renews=True,
        inspect=partial(_findings, options, variable, effect),
        proxies=partial(_proxies, options),
        leaving="is shutting down",
    )


def _findings(
    options: NginxOptions, variable: str, effect: Effect, path: Path
) -> Iterator[Finding]:
    """What keeps the file from having an effect, or lets others in beside it."""
    from allowsync_backends.nginx.check import of_allows, of_proxies, of_variable

    whole, ours = _configuration(options, path)
    if not whole:
        return  # a configuration that is not valid is told as such
    match options.style:
        case Style.ALLOW:
            yield from of_allows(whole, ours)
        case Style.GEO:
            yield from of_variable(whole, ours, variable, options.source or "", effect)
        case Style.REALIP:
            yield from of_proxies(whole, ours)


def _proxies(options: NginxOptions, path: Path) -> TrustedProxies | None:
    """Which proxies are believed where the file counts. The ports of a container are others."""
    from allowsync_backends.nginx.real_ip import believed

    if options.source not in (None, "$remote_addr") or options.style is Style.REALIP:
        return None  # what another variable holds is not followed; no client is judged by proxies
    found = believed(*_configuration(options, path))
    return found if found is None or options.container is None else replace(found, ports=())


def _configuration(options: NginxOptions, path: Path) -> tuple[tuple[NginxDirective, ...], str]:
    """The whole configuration, and our file as it names it; nothing where it is not valid."""
    from allowsync_backends.nginx.configuration import files, tree

    texts = files(printed(options.running, (*options.command, "-T", "-q")) or "")
    ours = _as_included(texts, path)
    return tree(texts, ours), ours


def _as_included(texts: dict[str, str], path: Path) -> str:
    """Our file's path as nginx says it, where that goes by way of a link."""
    real = os.path.realpath(path)
    return next((one for one in texts if os.path.realpath(one) == real), str(path))
