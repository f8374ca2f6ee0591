"""What a configuration of nginx makes of our file. Pure.

Rules of an inner block replace those of the outer one as a whole, and of the rules of one block the
first that fits decides (ngx_http_access_module). With `satisfy any`, one of address, password and
subrequest is enough (ngx_http_core_module).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.model.target import Finding, Severity
from allowsync_backends.nginx.configuration import DirectivePlace, NginxDirective, places, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RULES: Final = ("allow", "deny")
_ANYBODY: Final = ("all", "0.0.0.0/0", "::/0")
_FORGED: Final = ("$http_", "$arg_", "$cookie_")


def of_allows(whole: tuple[NginxDirective, ...], path: str) -> Iterator[Finding]:
    """What there is to say about a file of `allow` lines."""
    found = list(places(whole, path))
    if not found:
        yield _unused(path, "the server or location that only friends may reach")
    for place in found:
        yield from _beside(place, path)
        yield from _replaced(place, path)
        yield from _satisfied(place)
    yield from _real_addresses(whole)


def of_variable(
    whole: tuple[NginxDirective, ...], path: str, variable: str, source: str
) -> Iterator[Finding]:
    """What there is to say about a file that defines a variable."""
    if not any(places(whole, path)):
        yield _unused(path, "http or stream")
    elif not any(_uses(one, variable) for one in walk(whole)):
        what = f"nothing in the configuration of nginx uses ${variable}: it has no effect"
        yield Finding(Severity.ERROR, what, f"such as: if (${variable} = 0) {{ return 403; }}")
    if source.startswith(_FORGED):
        what = f"{source} is what a client says of itself: any client that knows of it gets in"
        yield Finding(Severity.WARNING, what, "use set_real_ip_from and real_ip_header instead")
    yield from _real_addresses(whole)


def _unused(path: str, where: str) -> Finding:
    what = f"no configuration of nginx includes {path}: it has no effect"
    return Finding(Severity.ERROR, what, f'put "include {path};" into {where}')


def _within(place: DirectivePlace) -> str:
    """Where a place is, in words."""
    if not place.around:
        return "the main block"
    names = " in ".join(f'"{one.text}"' for one in reversed(place.around[-2:]))
    return f"{names} ({place.siblings[place.at].file})"


def _beside(place: DirectivePlace, path: str) -> Iterator[Finding]:
    """The rules before ours, which decide first, and those after, which never do."""
    before, after = place.siblings[: place.at], place.siblings[place.at + 1 :]
    for one in before:
        if one.name in _RULES and one.words[-1] in _ANYBODY:
            who = "lets everybody in" if one.name == "allow" else "shuts friends out, too"
            what = f'in {_within(place)}, "{one.text}" before the include of {path} {who}'
            yield Finding(Severity.ERROR, what, "take it away")
    late = [one.text for one in after if one.name in _RULES]
    if late:
        what = f'in {_within(place)}, "{late[0]}" after the include of {path} has no effect'
        advice = 'put it before the include, which ends with "deny all"'
        yield Finding(Severity.WARNING, what, advice)


def _replaced(place: DirectivePlace, path: str) -> Iterator[Finding]:
    """The blocks further in with rules of their own, which are the only ones there."""
    inner = [one for one in walk(place.siblings) if one.block]
    for block in inner:
        names = {one.name for one in block.block}
        if names.isdisjoint(_RULES) or _includes(block.block, path):
            continue
        what = f'"{block.text}" in {_within(place)} has rules of its own: {path} is not for it'
        advice = "include the file there, too, after them"
        yield Finding(Severity.WARNING, what, advice)


def _satisfied(place: DirectivePlace) -> Iterator[Finding]:
    """Whether something else than an address is enough, by the innermost `satisfy`."""
    for block in reversed(place.around):
        said = [one.words[-1] for one in block.block if one.name == "satisfy"]
        if said == ["any"]:
            what = f'with "satisfy any" in {_within(place)}, others who sign in get in, too'
            yield Finding(Severity.INFO, what, "that is right where it is meant")
        if said:
            return


def _real_addresses(whole: tuple[NginxDirective, ...]) -> Iterator[Finding]:
    """Whether every sender of the header is trusted, or none."""
    trusted = [one for one in walk(whole) if one.name == "set_real_ip_from"]
    for one in trusted:
        if one.words[-1] in _ANYBODY:
            what = f'"{one.text}" ({one.file}) lets every client say which address it comes from'
            yield Finding(Severity.WARNING, what, "name the networks of your proxy or CDN alone")
    proxied = [one for one in walk(whole) if one.name == "listen" and "proxy_protocol" in one.words]
    if proxied and not trusted:
        what = f'"{proxied[0].text}" ({proxied[0].file}), but no set_real_ip_from'
        advice = "without it, nginx takes the address of the proxy for that of every client"
        yield Finding(Severity.WARNING, what, advice)


def _includes(directives: Iterable[NginxDirective], path: str) -> bool:
    return any(one.words == ("include", path) for one in directives)


def _uses(one: NginxDirective, variable: str) -> bool:
    used = re.compile(rf"\$(?:{variable}\b|\{{{variable}\}})")
    return any(used.search(word) for word in one.words)
