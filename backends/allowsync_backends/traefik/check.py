"""Reasons why a middleware of ours has no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.target import Finding, Severity
from allowsync_backends.common.server.listeners import everybody
from allowsync_backends.traefik.api import Api, ApiError, ApiUnreachable
from allowsync_backends.traefik.document import Unfit, definitions
from allowsync_backends.traefik.options import MiddlewareKind
from allowsync_backends.traefik.watched_files import defining, is_used, leading_to, neighbours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from allowsync_backends.traefik.api import Router, TraefikEntryPoint
    from allowsync_backends.traefik.document import Definition
    from allowsync_backends.traefik.options import TraefikOptions
    from allowsync_backends.traefik.syntax import TraefikSyntax
    from allowsync_backends.traefik.watched_files import WatchedFile


def findings(options: TraefikOptions, syntax: TraefikSyntax, path: Path) -> Iterator[Finding]:
    """Report by the API, where there is one; else by the other files and the program."""
    around = neighbours(path)
    yield from _in_the_way(around, syntax)
    if options.api is None:
        yield from _by_files(around, syntax, path)
        if options.container is None:
            yield from _by_version(_installed_version(), options)
        return
    try:
        yield from _by_api(Api(options.api), options, syntax, path)
    except ApiUnreachable as error:
        advice = "start Traefik, or see what `api` says: nothing is confirmed until then"
        yield Finding(Severity.WARNING, str(error), advice)
    except ApiError as error:
        yield Finding(Severity.ERROR, str(error), "see what `api` says, and `api` in Traefik")


def _in_the_way(around: tuple[WatchedFile, ...], syntax: TraefikSyntax) -> Iterator[Finding]:
    for one in around:
        if one.flaw:
            what = f"Traefik cannot read {one.path}, and takes no change of any file: {one.flaw}"
            yield Finding(Severity.ERROR, what, "put that file right, or move it away")
    for kind in syntax.kinds:
        for other in defining(around, kind, syntax.name):
            what = f"{other} has a middleware {syntax.name}, too: Traefik uses only one of them"
            yield Finding(Severity.ERROR, what, "let `middleware` say another name")


def _by_files(
    around: tuple[WatchedFile, ...], syntax: TraefikSyntax, path: Path
) -> Iterator[Finding]:
    for kind in syntax.kinds:
        if not is_used(around, kind, syntax.name):
            what = (
                f"no {kind.value} router in the files of {path.parent} uses {syntax.name}; what "
                "labels of containers say cannot be seen from here"
            )
            yield Finding(Severity.INFO, what, _how_to_use(kind, syntax))


def _by_api(
    api: Api, options: TraefikOptions, syntax: TraefikSyntax, path: Path
) -> Iterator[Finding]:
    yield from _by_version(api.version(), options)
    try:
        expected = definitions(path.read_text(), syntax)
    except (OSError, Unfit, UnicodeDecodeError):
        return  # there is a finding about the file itself
    for kind in syntax.kinds:
        yield from _as_known(api, kind, syntax, expected[kind], path)
    guarded = {kind: guarded_routers(api, kind, syntax) for kind in syntax.kinds}
    for kind, routers in guarded.items():
        if not routers:
            what = f"no {kind.value} router uses {syntax.name}@file: it has no effect"
            yield Finding(Severity.ERROR, what, _how_to_use(kind, syntax))
    every = [one for routers in guarded.values() for one in routers]
    yield from _by_protocol(reached(api, every) if every else ())
    yield from _by_options(options)
    points = reached(api, guarded.get(MiddlewareKind.HTTP, ()))
    if points:
        yield from _by_entry_points(points, options, syntax)


def _as_known(
    api: Api, kind: MiddlewareKind, syntax: TraefikSyntax, expected: Definition, path: Path
) -> Iterator[Finding]:
    """Report differences between a middleware in Traefik and in the file."""
    name = f"{syntax.name}@file"
    found = api.middleware(kind, syntax.name)
    if found is None or found.definition != expected:
        what = (
            f"Traefik does not know the {kind.value} middleware {name}"
            if found is None
            else f"Traefik uses other settings in the {kind.value} middleware {name} than {path}"
        )
        advice = f"its file provider must watch {path.parent}; its log says what it cannot read"
        yield Finding(Severity.ERROR, what, advice)
        return
    for error in found.errors:
        yield Finding(Severity.ERROR, f"Traefik refuses the middleware {name}: {error[:200]}")


def guarded_routers(api: Api, kind: MiddlewareKind, syntax: TraefikSyntax) -> tuple[Router, ...]:
    """Return the routers of a kind that use the middleware."""
    leading = leading_to(f"{syntax.name}@file", api.chains(kind))
    return tuple(one for one in api.routers(kind) if one.middlewares & leading)


def reached(api: Api, routers: Iterable[Router]) -> tuple[TraefikEntryPoint, ...]:
    """Return the entry points that lead to some routers."""
    names = {name for one in routers for name in one.entry_points}
    return tuple(one for one in api.entry_points() if one.name in names)


def _how_to_use(kind: MiddlewareKind, syntax: TraefikSyntax) -> str:
    name = f"{syntax.name}@file"
    label = f"traefik.{kind.value}.routers.ROUTER.middlewares={name}"
    return f"give the routers to be guarded middlewares: [{name}], or the label {label}"


def _by_protocol(points: Iterable[TraefikEntryPoint]) -> Iterator[Finding]:
    """Report entry points where any client may send a PROXY header, which changes its address."""
    for one in points:
        if one.protocol_from_anybody:
            what = (
                f"entry point {one.name} believes the PROXY protocol of anyone "
                "(proxyProtocol): any client can pretend to be a friend"
            )
            advice = "name your proxies in proxyProtocol.trustedIPs, without insecure"
            yield Finding(Severity.ERROR, what, advice)


def _by_options(options: TraefikOptions) -> Iterator[Finding]:
    """Report options by which an address counts that your proxies did not write."""
    excluded = (one for one in options.excluded_ips if not isinstance(one, str))
    if wide := everybody(excluded):
        what = (
            f"excluded_ips has {', '.join(map(str, wide))}: a client from there that comes through "
            "a proxy names its address itself, and can pretend to be a friend"
        )
        yield Finding(Severity.ERROR, what, "name the networks of your proxies alone")
    if options.depth is not None and options.depth > 1:
        what = (
            f"depth: {options.depth} is right behind {options.depth} proxies: a client that comes "
            "through fewer names its address itself, and can pretend to be a friend"
        )
        yield Finding(Severity.INFO, what, "excluded_ips with their networks needs no number")


def _by_entry_points(
    points: tuple[TraefikEntryPoint, ...], options: TraefikOptions, syntax: TraefikSyntax
) -> Iterator[Finding]:
    """Report whether the matched client address can be trusted."""
    if not options.believes_headers:
        for one in points:
            if one.from_some or one.from_anybody:
                what = (
                    f"entry point {one.name} is behind proxies (forwardedHeaders), but for "
                    f"{syntax.name} the address of the connection counts, which is theirs"
                )
                yield Finding(Severity.WARNING, what, "say `depth` or `excluded_ips`")
        return
    for one in points:
        if one.from_anybody:
            what = (
                f"entry point {one.name} believes X-Forwarded-For of anyone "
                f"(forwardedHeaders.{one.reason}): any client can pretend to be a friend"
            )
            advice = "name your proxies in forwardedHeaders.trustedIPs instead"
            yield Finding(Severity.ERROR, what, advice)
    if not any(one.from_some or one.from_anybody for one in points):
        names = ", ".join(one.name for one in points)
        what = f"no X-Forwarded-For is trusted at {names}: everyone is refused"
        advice = "name your proxies in forwardedHeaders.trustedIPs"
        yield Finding(Severity.ERROR, what, advice)


def _by_version(version: str, options: TraefikOptions) -> Iterator[Finding]:
    """Report a version of Traefik, such as `3.7.0`, that cannot read the file; "" is unknown."""
    major = version.removeprefix("v").partition(".")[0]
    if not major.isdigit() or int(major) == options.version:
        return
    advice = f"say version: {major} in the configuration"
    if int(major) > options.version:
        what = f"Traefik is {version}, which calls what is written for version 2 out of date"
        yield Finding(Severity.WARNING, what, advice)
    else:
        what = f"Traefik is {version}, and may not read what is written for {options.version}"
        yield Finding(Severity.ERROR, what, advice)


def _installed_version() -> str:
    """Return the version of the program on this machine; empty when there is none."""
    from allowsync.system.process import Command, CommandError, installed, run

    if not installed("traefik"):
        return ""
    try:
        return version_in(run(Command(("traefik", "version"), timeout=10.0)).stdout)
    except CommandError:
        return ""


def version_in(told: str) -> str:
    """Return the version in the output of `traefik version`; empty when there is none."""
    lines = (line.partition(":") for line in told.splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == "Version"), "")
