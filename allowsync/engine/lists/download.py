"""Fetching of due lists: after a run, and by a process without privileges.

The run resolves the name once and passes the address to connect to, so that a name cannot point to
the LAN at a second lookup. A redirect comes back here and is judged like a URL.
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from allowsync.engine.lists.acceptance import accepted, refused
from allowsync.engine.lists.in_force import due, is_granted
from allowsync.model.answer import Found
from allowsync.model.networks import parsed
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.special_purpose import special_within
from allowsync.model.types import LISTS, Family, Query
from allowsync.model.value import Value, replace
from allowsync.policy.list_formats import MOST_ENTRIES, ListContent, entry
from allowsync.policy.lists import REJECTED, needs_force
from allowsync.state.lists import KeptList, identity, read_list, write_list
from allowsync.system.interpreter import python_module
from allowsync.system.process import Command, CommandError, run
from allowsync.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.dns.interface import Resolve
    from allowsync.model.list_source import ListSource

EACH: Final = 20.0  # seconds
ALL: Final = 45.0  # seconds; lists not reached by then are due in the next run
_GRACE: Final = 2.0  # seconds, for the process to start and end
_REDIRECTS: Final = 3
_LARGEST: Final = 64 * 2**20  # octets that the process may write
_MOST_ADDRESSES: Final = 4
_PORTS: Final = {"https": 443, "http": 80}
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?!.{{254}}){_LABEL}(?:\.{_LABEL})+")
_MODULE: Final = "allowsync.engine.lists.child"
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class FetchError(Exception):
    """A list was not fetched. Its text gives the reason."""


class Reply(Value):
    """The output of the process.

    Attributes:
        heading: Its description of the list.
        networks: The networks, a text each.
    """

    heading: Mapping[str, Any]
    networks: tuple[str, ...]


def fetch_due(config: Config, resolve: Resolve, now: datetime, *, force: bool) -> Iterator[Notice]:
    """Fetch each due list in use, and keep its content.

    Yields:
        Notices of rejected contents, and of failures with unknown lists.
    """
    ends = time.monotonic() + ALL
    for name in due(config, now, force=force):
        left = min(EACH, ends - time.monotonic())
        if left > _GRACE:
            before = read_list(config.state, name) or KeptList(name, now)
            source = config.lists[name]
            yield from _refresh(config, source, before, resolve, now, left, force=force)


def _refresh(
    config: Config,
    source: ListSource,
    before: KeptList,
    resolve: Resolve,
    now: datetime,
    seconds: float,
    *,
    force: bool,
) -> Iterator[Notice]:
    """Fetch a list. The attempt is recorded before, so that it is not repeated in each run."""
    grants = is_granted(config, before.name)
    if before.body() is None:  # damaged: nothing of it counts, not even that it was fetched
        before = KeptList(before.name, now)
    begun = refused(before, before.trouble or "fetching it timed out", now, source)
    if not write_list(config.state, begun):
        yield Notice(LISTS + before.name, "it is not fetched, as it cannot be stored")
        return
    try:
        reply = _fetched(source, before, resolve, seconds)
        found = _concluded(reply, source, before, now, grants=grants, force=force)
    except FetchError as error:
        found = refused(before, str(error), now, source)
    write_list(config.state, found)
    yield from _told(before, found, grants=grants)


def _told(before: KeptList, found: KeptList, *, grants: bool) -> Iterator[Notice]:
    where = LISTS + found.name
    what = counted(found.count, "network", "networks")
    if not found.trouble and not before.is_known:
        yield Notice(where, f"{what} fetched; they count from the next run on")
    elif found.trouble and not found.is_known:
        code = ExitCode.OLD_KNOWLEDGE if grants else ExitCode.IN_STEP
        yield Notice(where, f"its networks are unknown: {found.trouble}", code)
    elif needs_force(found.trouble):
        code = ExitCode.OLD_KNOWLEDGE if grants else ExitCode.IN_STEP
        yield Notice(where, f"its former networks stay: {found.trouble}", code)


def _concluded(
    reply: Reply,
    source: ListSource,
    before: KeptList,
    now: datetime,
    *,
    grants: bool,
    force: bool,
) -> KeptList:
    heading = reply.heading
    if why := heading.get("trouble"):
        raise FetchError(f"{REJECTED if heading.get('refused') else ''}{printable(str(why))}")
    if heading.get("unchanged") and _conditions(source, before):
        asked = identity(source)
        return replace(before, tried=now, fetched=now, asked=asked, trouble="", failures=0)
    content = _content(reply)
    found = accepted(content, source, before, now, grants=grants, force=force)
    if found.trouble:
        return found
    etag, modified = (str(heading.get(one, ""))[:200] for one in ("etag", "modified"))
    return replace(found, etag=etag, modified=modified)


def _content(reply: Reply) -> ListContent:
    """The content parsed by the process, checked once more: it read a stranger's text."""
    entries = [entry(one) for one in reply.networks]
    unread, promised = reply.heading.get("unread"), reply.heading.get("promised")
    numbers = isinstance(unread, int) and 0 <= unread <= MOST_ENTRIES
    if None in entries or not numbers or not isinstance(promised, int | None):
        raise FetchError("the process that fetches it sent an invalid result")
    known = tuple(sorted({one for one in entries if one is not None}))
    sample = str(reply.heading.get("sample", ""))[:80]
    assert isinstance(unread, int)  # noqa: S101 - it was looked at above
    return ListContent(known, len(known), unread, sample, promised)


def _fetched(source: ListSource, before: KeptList, resolve: Resolve, seconds: float) -> Reply:
    """Request a list, through redirects. Raises FetchError."""
    assert source.url is not None  # noqa: S101 - the caller looked
    url, ends = source.url, time.monotonic() + seconds
    for _ in range(_REDIRECTS + 1):
        addresses, literal = _addresses(url, source.url, resolve)
        reply = _answer(source, url, addresses, before, ends, literal=literal)
        if "redirect" not in reply.heading:
            return reply
        url = _onward(url, str(reply.heading["redirect"]))
    raise FetchError("the server redirects too often")


def _onward(url: str, location: str) -> str:
    """The target of a redirect. Raises FetchError where it is not allowed."""
    try:
        onward = urljoin(url, location)
        parts, before = urlsplit(onward), urlsplit(url)
        _ = parts.port
    except ValueError:
        raise FetchError("the server redirects to an invalid URL") from None
    if not location or parts.scheme != before.scheme:
        raise FetchError(f"the server redirects to another scheme: {printable(onward)[:100]}")
    if parts.username is not None or not parts.hostname or not onward.isascii():
        raise FetchError("the server redirects to an invalid URL")
    return onward.partition("#")[0]


def _addresses(url: str, written: str, resolve: Resolve) -> tuple[list[str], bool]:
    """The addresses to connect to, and whether the URL names one itself.

    An address in the configuration is intended. Any other must not be special: a public list has no
    business on the LAN.

    Raises:
        FetchError: There are none.
    """
    host = _host(url)
    if (own := _literal(host)) is not None:
        if host != _host(written):
            _check(host, own)
        return [own], True
    if not _NAME.fullmatch(host):
        raise FetchError(f"{printable(host)[:80]} is not a hostname")
    answers = resolve([Query(host, family) for family in Family])
    found = [
        str(one)
        for answer in answers.values()
        if isinstance(answer, Found)
        for one in answer.addresses
    ]
    if not found:
        whys = {str(getattr(one, "reason", one)) for one in answers.values()}
        raise FetchError(f"{host} has no address: {', '.join(sorted(whys))}")
    public = [one for one in found if not special_within(parsed(_single(one)))]
    if not public:
        _check(host, found[0])
    return public[:_MOST_ADDRESSES], False


def _port(url: str) -> int:
    """The port of a URL. Raises FetchError."""
    parts = urlsplit(url)
    try:
        return parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise FetchError("its URL has an invalid port") from None


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".").lower()


def _literal(host: str) -> str | None:
    found = entry(host)
    return host if found is not None and "/" not in host else None


def _check(host: str, address: str) -> None:
    if reason := special_within(parsed(_single(address))):
        raise FetchError(f"{host} is not connected to: {address} is {reason}")


def _single(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def _answer(
    source: ListSource,
    url: str,
    addresses: list[str],
    before: KeptList,
    ends: float,
    *,
    literal: bool,
) -> Reply:
    """Have the process send one request. Raises FetchError."""
    seconds = ends - time.monotonic()
    task = {
        "url": url,
        "port": _port(url),
        "addresses": addresses,
        "literal": literal,
        "headers": _conditions(source, before),
        "format": source.format.value,
        "field": source.field,
        "sha256": source.sha256,
        "seconds": seconds,
    }
    trusted = {name: os.environ[name] for name in _CERTIFICATES if name in os.environ}
    command = Command(python_module(_MODULE), json.dumps(task), seconds + _GRACE, _LARGEST, trusted)
    try:
        done = run(command)
    except CommandError as error:
        raise FetchError(f"the process that fetches it: {error}") from None
    first, _, rest = done.stdout.partition("\n")
    try:
        heading = json.loads(first)
    except (ValueError, RecursionError):
        heading = None
    if done.code or not isinstance(heading, dict):
        raise FetchError(f"the process that fetches it ended with code {done.code}")
    return Reply(heading, tuple(rest.split()))


def _conditions(source: ListSource, before: KeptList) -> dict[str, str]:
    """The headers for an answer without content if unchanged, where the kept one is credible."""
    if not before.is_known or before.source != identity(source) or before.body() is None:
        return {}
    held = {"If-None-Match": before.etag, "If-Modified-Since": before.modified}
    return {name: value for name, value in held.items() if value}
