"""A stand-in for Traefik: watches a folder, and answers as Traefik's API does.

The real one cannot be had from a distribution. `make traefik` compares both: how a middleware is
told that is in force, refused or unknown; that nothing at all changes while one file of the folder
cannot be read; which of two files counts. This one passes on no requests.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from allowsync.testing.io_faults import io_unwatched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

# inotify(7); fsnotify asks a folder for these.
WATCHED: Final = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
_EVENT: Final = struct.Struct("iIII")


class TraefikWatch:
    """What happens in a folder, by inotify(7), as fsnotify hears of it."""

    def __init__(self, folder: Path) -> None:
        self.fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.fd >= 0
        assert _libc.inotify_add_watch(self.fd, os.fsencode(folder), WATCHED) >= 0

    def close(self) -> None:
        """Hear of nothing any more."""
        os.close(self.fd)

    def names(self, patience: float) -> list[str]:
        """The names that something happened to, after waiting for it, in seconds; maybe none."""
        ready, _, _ = select.select([self.fd], [], [], patience)
        return list(_names(os.read(self.fd, 1 << 16))) if ready else []


def _names(told: bytes) -> Iterator[str]:
    while told:
        _, _, _, length = _EVENT.unpack_from(told)
        yield told[_EVENT.size : _EVENT.size + length].rstrip(b"\0").decode()
        told = told[_EVENT.size + length :]


def is_read(name: str) -> bool:
    """Whether Traefik's file provider reads a file of that name: it goes by the ending alone."""
    return name.lower().endswith((".yml", ".yaml", ".toml"))


@dataclass
class Standin:
    """Watches a folder from a thread, and serves the API on loopback.

    Attributes:
        folder: The folder.
        version: What it says it is.
        entry_points: What it says of them.
        deaf: Whether it takes no change any more, as one that cannot watch its folder.
        refuses: Why it refuses every middleware; empty where it does not.
        hangs_up: How many requests get no answer from now on.
        asked: The paths that were asked for.
    """

    folder: Path
    version: str = "3.7.15"
    entry_points: list[dict[str, Any]] = field(default_factory=lambda: [entry_point("web")])
    deaf: bool = False
    refuses: str = ""
    hangs_up: int = 0
    asked: list[str] = field(default_factory=list)
    _known: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Standin:
        self._watch = TraefikWatch(self.folder)
        self._over = threading.Event()
        self._take()
        self._server = _TraefikServer(("127.0.0.1", 0), _Handler)
        self._server.standin = self
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.01,)),
            threading.Thread(target=self._follow),
        ]
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        for one in self._threads:
            one.join()
        self._server.server_close()
        self._watch.close()

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def ranges(self, name: str, kind: str = "http") -> list[str] | None:
        """The networks it goes by; None without such a middleware."""
        found = self._middlewares(kind).get(name)
        return None if found is None else list(next(iter(found.values()))["sourceRange"])

    def wake(self) -> None:
        """Be deaf no longer, and look at everything."""
        self.deaf = False
        self._take()

    def _follow(self) -> None:
        with io_unwatched():
            while not self._over.is_set():
                if self._watch.names(0.02):
                    self._take()

    def _take(self) -> None:
        """Read every file anew; take over all of it or, where one cannot be read, nothing."""
        if self.deaf:
            return
        merged: dict[str, Any] = {}
        for path in sorted(filter(lambda one: is_read(one.name), self.folder.iterdir())):
            try:
                document = yaml.safe_load(path.read_text())
            except (yaml.YAMLError, OSError):
                return
            for kind, sections in (document or {}).items():
                for section, named in sections.items():
                    place = merged.setdefault(kind, {}).setdefault(section, {})
                    place.update({name: one for name, one in named.items() if name not in place})
        self._known = merged

    def _middlewares(self, kind: str) -> dict[str, Any]:
        return self._section(kind, "middlewares")

    def _section(self, kind: str, section: str) -> dict[str, Any]:
        found = self._known.get(kind, {}).get(section, {})
        assert isinstance(found, dict)
        return found

    def answer(self, path: str) -> tuple[int, Any]:
        """The status and the document for a path."""
        self.asked.append(path)
        status, document = self._whole(urlsplit(path).path)
        if isinstance(document, list):  # one page of it
            asked = parse_qs(urlsplit(path).query).get("per_page", ["100"])
            return status, document[: int(asked[0])]
        return status, document

    def _whole(self, path: str) -> tuple[int, Any]:
        match path.split("/"):
            case ["", "api", "version"]:
                return 200, {"Version": self.version, "Codename": "langres"}
            case ["", "api", "entrypoints"]:
                return 200, self.entry_points
            case ["", "api", kind, "routers"]:
                return 200, [self._router(kind, name) for name in self._section(kind, "routers")]
            case ["", "api", kind, "middlewares"]:
                names = [f"{name}@file" for name in self._middlewares(kind)]
                return 200, [self._middleware(kind, name)[1] for name in names]
            case ["", "api", kind, "middlewares", name]:
                return self._middleware(kind, unquote(name))
            case _:
                return 404, None

    def _router(self, kind: str, name: str) -> dict[str, Any]:
        """With the middlewares of its entry points before its own."""
        router = self._section(kind, "routers")[name]
        using = router.get("entryPoints", [one["name"] for one in self.entry_points])
        before = [
            middleware
            for one in self.entry_points
            if one["name"] in using
            for middleware in one.get("http", {}).get("middlewares", [])
        ]
        own = _qualified(router.get("middlewares", []))
        return {"name": f"{name}@file", "using": using, "middlewares": [*before, *own]}

    def _middleware(self, kind: str, name: str) -> tuple[int, Any]:
        found = self._middlewares(kind).get(name.removesuffix("@file"))
        if found is None or not name.endswith("@file"):
            return 404, {"message": f"middleware not found: {name}"}
        ((key, settings),) = found.items()
        settings = {name: value for name, value in settings.items() if value}
        told = {"name": name, "provider": "file", "type": key.lower(), key: settings}
        if key == "chain":
            return 200, {**told, "status": "enabled"}
        routers = [self._router(kind, one) for one in self._section(kind, "routers")]
        used_by = [one["name"] for one in routers if name in one["middlewares"]]
        error = self.refuses or _error(settings.get("sourceRange", []))
        if used_by and error:  # a middleware is not built before a router asks for it
            return 200, {**told, "status": "disabled", "error": [error], "usedBy": used_by}
        return 200, {**told, "status": "enabled"}


def _qualified(names: list[str]) -> list[str]:
    return [name if "@" in name else f"{name}@file" for name in names]


def _error(listed: list[str]) -> str:
    if not listed:
        return "sourceRange is empty, IPAllowLister not created"
    try:
        list(map(ip_network, listed))
    except ValueError as error:
        return f"cannot parse CIDRs {listed}: {error}"
    return ""


def entry_point(name: str, *middlewares: str, **forwarded: object) -> dict[str, Any]:
    """An entry point as the API tells it, with the middlewares that all of its routers have."""
    http = {"middlewares": list(middlewares)} if middlewares else {}
    return {"name": name, "address": ":80", "forwardedHeaders": forwarded, "http": http}


class _TraefikServer(ThreadingHTTPServer):
    daemon_threads = True
    standin: Standin


class _Handler(BaseHTTPRequestHandler):
    server: _TraefikServer

    def do_GET(self) -> None:
        if self.server.standin.hangs_up > 0:
            self.server.standin.hangs_up -= 1
            return
        status, document = self.server.standin.answer(self.path)
        body = b"404 page not found\n" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""
