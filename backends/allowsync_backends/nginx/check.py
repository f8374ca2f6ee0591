"""Findings about our file in a configuration of nginx. Pure.

Rules of an inner block replace those of the outer one as a whole, and the first matching rule of a
block decides (ngx_http_access_module). With `satisfy any`, one of address, password and subrequest
is enough (ngx_http_core_module).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.model.target import Effect, Finding, Severity
from allowsync_backends.common.server.listeners import is_open
from allowsync_backends.nginx.access import (
    RULES,
    answers_anyone,
    has_rules,
    is_challenge,
    is_for_anybody,
    is_for_containers,
    lets_strangers_in,
    opened_by,
    trusts_strangers,
)
from allowsync_backends.nginx.challenges import passed_on
from allowsync_backends.nginx.configuration import DirectivePlace, NginxDirective, places, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FOR_ALL: Final = ("location", "/"), ("location", "^~", "/")
_HEADER: Final = "real_ip_header"
_PROXIES: Final = "set_real_ip_from"
_FORGED: Final = ("$http_", "$arg_", "$cookie_", "$proxy_add_x_forwarded_for")
_BY_PROTOCOL: Final = "$proxy_protocol_addr"


def of_allows(whole: tuple[NginxDirective, ...], path: str) -> Iterator[Finding]:
    """Report on a file of `allow` lines."""
    found = list(places(whole, path))
    if not found:
        yield _unused(path, "the server or location that only friends may reach")
    for place in found:
        yield from _by_pattern(place, path)
        yield from _beside(place, path)
        yield from _replaced(place, path)
        yield from _passed_by(place, path)
        yield from _satisfied(place)
        yield from passed_on(whole, place, path)
    yield from _real_addresses(whole)


def of_variable(
    whole: tuple[NginxDirective, ...],
    path: str,
    variable: str,
    source: str,
    effect: Effect = Effect.ALLOW,
) -> Iterator[Finding]:
    """Report on a file that defines a variable."""
    if not any(places(whole, path)):
        yield _unused(path, "http or stream")
    elif not any(_uses(one, variable) for one in walk(whole)):
        what = f"nothing in the configuration of nginx uses ${variable}: it has no effect"
        refused = "0" if effect is Effect.ALLOW else "1"
        advice = f"such as: if (${variable} = {refused}) {{ return 403; }}"
        yield Finding(Severity.ERROR, what, advice)
    yield from _turned_round(whole, variable, effect)
    if source.startswith(_FORGED):
        what = f"{source} is what a client says of itself: any client that knows of it gets in"
        yield Finding(Severity.WARNING, what, "use set_real_ip_from and real_ip_header instead")
    if source == _BY_PROTOCOL:
        yield from _of_protocol(whole)
    yield from _real_addresses(whole)


def _turned_round(
    whole: tuple[NginxDirective, ...], variable: str, effect: Effect
) -> Iterator[Finding]:
    """Report inverted conditions, which refuse the clients to admit and admit the others."""
    allow = effect is Effect.ALLOW
    mistaken = ("", "=1", "!=0") if allow else ("=0", "!=1")
    for one in walk(whole):
        condition = "".join(one.words[1:]).replace(" ", "").strip("()").replace('"', "")
        asked = [condition.removeprefix(name) for name in (f"${{{variable}}}", f"${variable}")]
        refuses = any(
            it.name == "return" and it.words[1:2] and it.words[1].startswith(("4", "5"))
            for it in one.block
        )
        if one.name == "if" and refuses and set(asked) & set(mistaken):
            who = "hosts, and lets everyone else in" if allow else "everyone but what is blocked"
            what = f'"{one.text}" ({one.file}) refuses {who}'
            advice = f"turn it round: if (${variable}{' = 0' if allow else ''}) {{ return 403; }}"
            yield Finding(Severity.ERROR, what, advice)


def of_proxies(whole: tuple[NginxDirective, ...], path: str) -> Iterator[Finding]:
    """Report on a file of trusted proxies."""
    found = list(places(whole, path))
    if not found:
        yield _unused(path, "http, or the server or location behind the proxies")
    for place in found:
        inside = [*place.siblings, *(one for around in place.around for one in around.block)]
        if not any(one.name == _HEADER for one in inside):
            what = (
                f"no {_HEADER} in {_within(place)}: nginx takes the address of a client from "
                "X-Real-IP, which a client can write where the proxy does not set it"
            )
            advice = f"name the header that the proxy sets: {_HEADER} CF-Connecting-IP (Cloudflare)"
            yield Finding(Severity.WARNING, what, advice)
        for block in walk(place.siblings):
            own = any(one.name == _PROXIES for one in block.block)
            if own and not _includes(block.block, path):
                what = f'"{block.text}" in {_within(place)} has proxies of its own'
                advice = "include the file there, too, if these come through the same proxies"
                yield Finding(Severity.INFO, f"{what}: {path} is not for it", advice)
    yield from _real_addresses(whole)


def _of_protocol(whole: tuple[NginxDirective, ...]) -> Iterator[Finding]:
    """Report open listeners with the PROXY protocol, whose address is not checked."""
    for one in walk(whole):
        if one.name == "listen" and "proxy_protocol" in one.words and is_open(one.words[1]):
            what = (
                f'"{one.text}" ({one.file}): {_BY_PROTOCOL} is what the PROXY header says, '
                "and any client may write one: each that knows of it gets in"
            )
            advice = "ask $remote_addr, with set_real_ip_from and real_ip_header proxy_protocol"
            yield Finding(Severity.WARNING, what, advice)


def _unused(path: str, where: str) -> Finding:
    what = f"no configuration of nginx includes {path}: it has no effect"
    return Finding(Severity.ERROR, what, f'put "include {path};" into {where}')


def _within(place: DirectivePlace) -> str:
    """Return a place in words."""
    if not place.around:
        return "the main block"
    names = " in ".join(f'"{one.text}"' for one in reversed(place.around[-2:]))
    return f"{names} ({place.siblings[place.at].file})"


def _beside(place: DirectivePlace, path: str) -> Iterator[Finding]:
    """Report the rules before ours, which decide first, and those after, which never do."""
    before, after = place.siblings[: place.at], place.siblings[place.at + 1 :]
    for one in before:
        if one.name in RULES and is_for_anybody(one):
            who = "lets everyone in" if one.name == "allow" else "shuts friends out, too"
            what = f'in {_within(place)}, "{one.text}" before the include of {path} {who}'
            yield Finding(Severity.ERROR, what, "take it away")
        elif one.name == "allow" and is_for_containers(one):
            what = (
                f'in {_within(place)}, "{one.text}" lets in whatever comes from a container or '
                "through Docker's own proxy, and so the clients that these pass on"
            )
            advice = "take it away, or name the address of the container that is meant"
            yield Finding(Severity.WARNING, what, advice)
    late = [one.text for one in after if one.name in RULES]
    if late:
        what = f'in {_within(place)}, "{late[0]}" after the include of {path} has no effect'
        advice = 'put it before the include, which ends with "deny all"'
        yield Finding(Severity.WARNING, what, advice)


def _replaced(place: DirectivePlace, path: str) -> Iterator[Finding]:
    """Report inner blocks with rules of their own, which replace ours."""
    inner = [one for one in walk(place.siblings) if one.block]
    for block in inner:
        if not has_rules(block.block) or _includes(block.block, path) or is_challenge(block):
            continue
        what = f'"{block.text}" in {_within(place)} has rules of its own: {path} is not for it'
        if not lets_strangers_in(block.block):
            advice = 'to let friends in there, too, include the file before "deny all"'
            yield Finding(Severity.INFO, what, advice)
            continue
        opened = opened_by(block.block)
        advice = (
            f'include the file there, too, in place of "{opened}"'
            if opened
            else "include the file there, too, after them"
        )
        yield Finding(Severity.WARNING, f"{what}, and strangers get in", advice)


def _passed_by(place: DirectivePlace, path: str) -> Iterator[Finding]:
    """Report locations beside a guarded `location /`, which does not cover them."""
    if len(place.around) < 2 or place.around[-1].words != ("location", "/"):
        return
    server = place.around[-2]
    for one in server.block:
        rules = one.block if has_rules(one.block) else server.block
        guarded = _includes(one.block, path) or not lets_strangers_in(rules)
        if one.name == "location" and not guarded and answers_anyone(one, server.block):
            what = (
                f'strangers reach "{one.text}" ({one.file}): {path} is included in "location /" '
                "beside it alone"
            )
            yield Finding(Severity.WARNING, what, "include the file in the server instead")


def _by_pattern(place: DirectivePlace, path: str) -> Iterator[Finding]:
    pattern = place.siblings[place.at].pattern
    if pattern:
        what = (
            f'"include {pattern}" in {_within(place)} is a pattern: if {path} is missing, nginx '
            "starts without it and lets everyone in"
        )
        yield Finding(Severity.WARNING, what, f'name the file itself: "include {path};"')


def _satisfied(place: DirectivePlace) -> Iterator[Finding]:
    """Report whether something else than an address is enough, by the innermost `satisfy`."""
    for block in reversed(place.around):
        said = [one.words[-1] for one in block.block if one.name == "satisfy"]
        if said == ["any"]:
            what = f'with "satisfy any" in {_within(place)}, others who sign in get in, too'
            yield Finding(Severity.INFO, what, "that is right where it is meant")
        if said:
            return


def _real_addresses(whole: tuple[NginxDirective, ...]) -> Iterator[Finding]:
    """Report whether every sender of the header is trusted, or none."""
    trusted = [one for one in walk(whole) if one.name == _PROXIES]
    for one in trusted:
        if trusts_strangers(one):
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
