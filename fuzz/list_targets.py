"""Targets of the fuzzer: lists of networks, what a denylist blocks of them, and files of either."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import collapse_addresses, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync_backends.apache.syntax import ApacheSyntax, RemoteIpSyntax, RequireNoneSyntax
from allowsync_backends.caddy.options import DeniedResponse, Matcher
from allowsync_backends.caddy.syntax import CaddySyntax, ProxiesSyntax
from allowsync_backends.file.syntax import (
    DenySyntax,
    JsonSyntax,
    TextSyntax,
    is_preceded,
    named_list,
)
from allowsync_backends.nginx.syntax import AllowSyntax, GeoSyntax, RealIpSyntax
from allowsync_backends.traefik.syntax import TraefikSyntax

from allowsync.model.list_source import ListFormat, ListSource
from allowsync.model.target import Effect
from allowsync.policy.denylist import SPECIAL_PURPOSE, NeverBlocked, blocked
from allowsync.policy.list_formats import ListError, read_list_content
from allowsync.policy.lists import WIDEST, ranges, refusal
from fuzz.defect import must

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync_backends.file.syntax import Syntax

    from allowsync.model.spans import Span
    from allowsync.model.types import Network
    from allowsync.policy.list_formats import Entry, ListContent

_LIST: Final = ListSource(file=Path("/etc/allowsync/office.txt"))
_NEVER: Final = tuple(
    NeverBlocked(ip_network(one), "a friend")
    for one in ("81.2.69.1", "81.2.70.0/24", "2a02:8010:1::/64")
)
_FORMS: Final[tuple[Syntax, ...]] = (
    *(TextSyntax(), JsonSyntax(), AllowSyntax(), GeoSyntax("jellyfin"), RealIpSyntax()),
    *(ApacheSyntax(), RemoteIpSyntax(), CaddySyntax(), ProxiesSyntax(), TraefikSyntax("x")),
)
_DENYING: Final[tuple[Syntax, ...]] = (
    *(TextSyntax(), JsonSyntax(), GeoSyntax("scanners"), RequireNoneSyntax()),
    CaddySyntax(Matcher.CLIENT_IP, DeniedResponse.FORBIDDEN, Effect.DENY),
)


def networks(data: bytes) -> None:
    """A list is read in any of its formats, or refused in words that can be told."""
    for content in _contents(data):
        why = refusal(content, _LIST, 0, force=False)
        must(bool(why) or len(ranges(content.entries)[4]) <= content.count, "more than was read")
        must(why.isprintable(), why)


def denylist(data: bytes) -> None:
    """A denylist blocks what its lists name, and of that nothing that is never blocked."""
    for content in _contents(data):
        listed = ranges(content.entries)
        found = blocked((listed[4], listed[6]), _NEVER)
        wanted = _without(map(_network, content.entries), (*SPECIAL_PURPOSE, *_NEVER))
        for version in (4, 6):
            mine = [one for one in found.networks if one.version == version]
            must(all(one.prefixlen >= WIDEST[version] for one in mine), "a network that is wide")
            must(sum(one.num_addresses for one in mine) == wanted.get(version, 0), str(mine))
            for span in found.spans[version == 6]:
                spared = (one.network for one in _NEVER if one.network.version == version)
                must(not any(_touch(span, each) for each in spared), str(span))
        must(found.refusal.isprintable(), found.refusal)


def files(data: bytes) -> None:
    """A file of ours is read as it will be written; one of a denylist is none of an allowlist."""
    text = data.decode(errors="replace")
    is_preceded(text)
    must("\n" not in named_list(text), named_list(text))
    for form in (*_FORMS, *map(DenySyntax, _DENYING)):
        held = form.parse(text)
        if held is not None:
            again = form.parse(form.render(held.allowlist, held.networks))
            must(again == held, f"{again} is not {held}")
    for form in _DENYING:
        both = form.parse(text) is not None and DenySyntax(form).parse(text) is not None
        must(not both, f"{type(form).__name__}: a file of an allowlist and of a denylist")


def _contents(data: bytes) -> Iterator[ListContent]:
    for form in ListFormat:
        for field in ("1", "2") if form is ListFormat.CSV else ("cidr", None):
            with suppress(ListError):
                yield _content(data, form, field)


def _content(data: bytes, form: ListFormat, field: str | None) -> ListContent:
    try:
        return read_list_content(data, form, field)
    except ListError as error:
        must(bool(str(error)), "refused without a reason")
        raise


def _network(entry: Entry) -> Network:
    version, first, width = entry
    return ip_network((first, width)) if version == 4 else ip_network((first.to_bytes(16), width))


def _without(listed: Iterable[Network], never: Iterable[NeverBlocked]) -> dict[int, int]:
    """How many addresses of a family are listed and not spared, by the standard library alone."""
    every = list(listed)
    holes = [one.network for one in never]
    left: dict[int, int] = {}
    for version in (4, 6):
        whole = list(collapse_addresses(one for one in every if one.version == version))  # type: ignore[type-var]
        mine = list(collapse_addresses(one for one in holes if one.version == version))  # type: ignore[type-var]
        left[version] = sum(_rest(one, mine) for one in whole)
    return left


def _rest(one: Network, holes: list[Network]) -> int:
    within = [hole for hole in holes if _overlap(one, hole)]
    if any(one.subnet_of(hole) for hole in within):  # type: ignore[arg-type]
        return 0
    return one.num_addresses - sum(hole.num_addresses for hole in within)


def _touch(span: Span, other: Network) -> bool:
    return span[0] <= int(other[-1]) and int(other[0]) <= span[1]


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)
