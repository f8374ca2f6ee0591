"""The process that fetches a list: it loads its modules, drops its privileges, then asks once.

It is given the address to connect to, so it resolves no name and can open no file. It parses the
list as well: the run gets networks, a line each, and trusts them no more than any text.

One JSON document comes on standard input, and one line of JSON goes to standard output, followed by
the networks where there are any.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import httpx

from allowsync import __version__
from allowsync.dns.transport.tls_context import load, trust
from allowsync.model.list_source import ListFormat
from allowsync.policy.list_formats import LARGEST, ListError, check_digest, read_list_content
from allowsync.policy.lists import spelt
from allowsync.system.fork import Bounds, held

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ssl import SSLContext

MEMORY: Final = 192 * 2**20  # octets, beside what the interpreter has
PROCESSOR: Final = 20  # seconds
_CONNECT: Final = 5.0  # seconds, for each address
_CHUNK: Final = 65536
_GZIP: Final = zlib.MAX_WBITS | 16
_UNCHANGED: Final = 304
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_OK: Final = 200
# Modules that are imported late, which is impossible once privileges are dropped.
_LATER: Final = ("csv", "encodings.idna", "hashlib", "httpcore", "ipaddress")


class Refusal(Exception):
    """The server gave no list. The text gives the reason."""


def main() -> None:
    """Fetch the list that standard input describes, and write its content."""
    task = json.load(sys.stdin)
    context = _context() if task["url"].startswith("https:") else None
    lacking = _confine(task["port"])
    try:
        heading, networks = ({"trouble": lacking}, []) if lacking else fetched(task, context)
    except (Refusal, ListError) as error:
        heading, networks = {"trouble": str(error), "refused": isinstance(error, ListError)}, []
    except MemoryError:
        heading, networks = {"trouble": "it takes too much memory", "refused": True}, []
    sys.stdout.write(json.dumps(heading) + "\n")
    sys.stdout.writelines(f"{one}\n" for one in networks)


def _context() -> SSLContext:
    """The trusted certificates: this system's, or the bundled ones where it has none."""
    load()
    context = trust()
    if not context.cert_store_stats()["x509_ca"]:
        context = httpx.create_ssl_context(trust_env=False)
    return context


def _confine(port: int) -> str:
    """Drop all privileges. Return why too many are left, if they are."""
    from allowsync.system.sandbox import confine

    for name in _LATER:
        import_module(name)
    bounds = Bounds(memory=held() + MEMORY, processor=PROCESSOR, ports=(port,))
    result = confine(bounds)
    if result.is_sound:
        return ""
    return f"the process that fetches it keeps too many rights: {result.lacking}"


def fetched(
    task: Mapping[str, Any], context: SSLContext | None
) -> tuple[dict[str, Any], list[str]]:
    """The server's description of the list, and the networks on it.

    Raises:
        Refusal: The server gives no list, or not in time.
        ListError: The content is no list.
    """
    ends = time.monotonic() + task["seconds"]
    failed: httpx.HTTPError | None = None
    for address in task["addresses"]:
        try:
            with _client(context, ends) as client, _asked(client, task, address) as response:
                return _understood(task, response, ends)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failed = error
        except httpx.HTTPError as error:
            raise Refusal(_said(error)) from None
    raise Refusal(f"no connection: {_said(failed) if failed else 'it has no address'}")


def _client(context: SSLContext | None, ends: float) -> httpx.Client:
    left = max(ends - time.monotonic(), 0.1)
    timeout = httpx.Timeout(left, connect=min(_CONNECT, left))
    return httpx.Client(
        verify=context if context is not None else False,
        trust_env=False,
        timeout=timeout,
        headers={"User-Agent": f"allowsync/{__version__}", "Accept-Encoding": "gzip"},
    )


def _asked(client: httpx.Client, task: Mapping[str, Any], address: str) -> Any:
    """Send the request to an address, with the host's name in it and in its certificate check."""
    url = httpx.URL(task["url"])
    host = url.host
    headers = {"Host": url.netloc.decode(), "Accept": "*/*", **task["headers"]}
    named = {} if task["literal"] else {"sni_hostname": host}
    return client.stream("GET", url.copy_with(host=address), headers=headers, extensions=named)


def _understood(
    task: Mapping[str, Any], response: httpx.Response, ends: float
) -> tuple[dict[str, Any], list[str]]:
    status = response.status_code
    if status in _REDIRECTS:
        return {"redirect": response.headers.get("Location", "")}, []
    if status == _UNCHANGED:
        if not task["headers"]:
            raise Refusal("the server answers that it is unchanged, but it was never fetched")
        return {"unchanged": True}, []
    if status != _OK:
        raise Refusal(f"HTTP status {status}")
    content = _body(response, ends)
    check_digest(content, task["sha256"])
    said = read_list_content(content, ListFormat(task["format"]), task["field"])
    heading = {
        "etag": _header(response, "ETag"),
        "modified": _header(response, "Last-Modified"),
        "unread": said.unread,
        "sample": said.sample,
        "promised": said.promised,
    }
    return heading, [spelt(one) for one in said.entries]


def _body(response: httpx.Response, ends: float) -> bytes:
    """The whole body, decompressed, within bounds of size and time.

    Raises:
        Refusal: It is too large or too slow, or may be truncated.
    """
    headers = response.headers
    if "Content-Length" not in headers and "chunked" not in headers.get("Transfer-Encoding", ""):
        raise Refusal("the server sends neither a length nor an end: it may be truncated")
    parts, size = [], 0
    for part in _unpacked(headers.get("Content-Encoding", "identity").lower(), response, ends):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise ListError(f"it is larger than {LARGEST // 2**20} MiB")
    return b"".join(parts)


def _unpacked(encoding: str, response: httpx.Response, ends: float) -> Iterator[bytes]:
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise Refusal(f"it is compressed with {encoding!r:.40}, which was not requested")
    packed = encoding in ("gzip", "x-gzip")
    inflater = zlib.decompressobj(_GZIP)
    for part in response.iter_raw():
        if time.monotonic() > ends:
            raise Refusal("the server sends too slowly")
        if not packed:
            yield part
            continue
        try:
            while part:
                if inflater.eof:  # several members, one behind the other (RFC 1952, 2.2)
                    inflater = zlib.decompressobj(_GZIP)
                yield inflater.decompress(part, _CHUNK)  # never more at once, whatever is in it
                part = inflater.unconsumed_tail or inflater.unused_data
        except zlib.error as error:
            raise Refusal(f"it cannot be decompressed: {error}") from None
    if packed and not inflater.eof:
        raise Refusal("it is compressed, and truncated")


def _header(response: httpx.Response, name: str) -> str:
    """A header that can be sent back; empty where there is none."""
    value = response.headers.get(name, "")
    return value if value.isascii() and value.isprintable() and len(value) <= 200 else ""


def _said(error: httpx.HTTPError) -> str:
    match error:
        case httpx.TimeoutException():
            return "it was not received in time"
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return f"the connection broke: {error}"
        case _:
            return str(error) or type(error).__name__


if __name__ == "__main__":
    main()
