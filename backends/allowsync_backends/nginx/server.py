"""nginx as a server: its configuration check, its reload, and findings about it."""

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
    """Return nginx's particulars ("Controlling nginx" in its manual).

    On a reload the main process reads the configuration and starts new workers; the old ones stop
    listening a tenth of a second later, show that in their title, and finish their requests. Where
    the configuration is rejected, the old workers stay and no new ones start.

    Args:
        options: The options of the target.
        variable: The variable of a file with a `geo` block, without `$`.
        effect: The effect of the networks in the file.
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
    """Report why the file has no effect, or admits other clients beside it."""
    from allowsync_backends.nginx.check import of_allows, of_proxies, of_variable

    whole, ours = _configuration(options, path)
    if not whole:
        return  # a configuration that is not valid is reported as such
    match options.style:
        case Style.ALLOW:
            yield from of_allows(whole, ours)
        case Style.GEO:
            yield from of_variable(whole, ours, variable, options.source or "", effect)
        case Style.REALIP:
            yield from of_proxies(whole, ours)


def _proxies(options: NginxOptions, path: Path) -> TrustedProxies | None:
    """Return the trusted proxies where the file applies. The ports of a container are others."""
    from allowsync_backends.nginx.real_ip import believed

    if options.source not in (None, "$remote_addr") or options.style is Style.REALIP:
        return None  # other variables are not followed; no client is judged by proxies
    found = believed(*_configuration(options, path))
    return found if found is None or options.container is None else replace(found, ports=())


def _configuration(options: NginxOptions, path: Path) -> tuple[tuple[NginxDirective, ...], str]:
    """Return the whole configuration, and our file as named in it; nothing where it is invalid."""
    from allowsync_backends.nginx.configuration import files, tree

    texts = files(printed(options.running, (*options.command, "-T", "-q")) or "")
    ours = _as_included(texts, path)
    return tree(texts, ours), ours


def _as_included(texts: dict[str, str], path: Path) -> str:
    """Return our file's path in nginx's form, where a link leads to it."""
    real = os.path.realpath(path)
    return next((one for one in texts if os.path.realpath(one) == real), str(path))
