"""Traefik's API, as far as it shows the configuration in force. Read-only.

Paths and keys are those of Traefik's reference ("API & Dashboard", Endpoints).
"""

from __future__ import annotations

import json
from contextlib import suppress
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError
from allowsync.model.value import Value
from allowsync_backends.common.server.listeners import everybody
from allowsync_backends.traefik.document import definition

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from allowsync_backends.traefik.document import Definition
    from allowsync_backends.traefik.options import MiddlewareKind

PATIENCE: Final = 5.0  # seconds for one answer
LARGEST: Final = 1 << 25  # bytes of one answer

ALL: Final = 100_000  # a page has a hundred by default

OK: Final = 200
NOT_FOUND: Final = 404


class ApiError(BackendError):
    """The API gave no readable answer."""


class NoAnswer(ApiError):
    """There was no whole answer. A retry may get one."""


class ApiUnreachable(NoAnswer):
    """There was no connection: Traefik does not run, or its API is somewhere else."""


class Middleware(Value):
    """A middleware in Traefik.

    Attributes:
        definition: Its definition.
        errors: The reasons why Traefik refuses it.
    """

    definition: Definition
    errors: tuple[str, ...]


class Router(Value):
    """A router, with its middlewares.

    Attributes:
        name: As `NAME@provider`.
        middlewares: Their names, likewise; those of its entry points among them.
        entry_points: The entry points that lead to it.
    """

    name: str
    middlewares: frozenset[str]
    entry_points: frozenset[str]


class TraefikEntryPoint(Value):
    """A listening address of Traefik, and the trusted senders of `X-Forwarded-For` there.

    Attributes:
        name: Its name.
        from_anybody: Whether every sender is trusted.
        trusted: The trusted networks.
        address: Its address, as `:443` or `192.0.2.1:8080/tcp`.
        by_protocol: Whether the PROXY protocol supplies client addresses.
        protocol_from_anybody: Whether every sender of the PROXY protocol is trusted.
    """

    name: str
    from_anybody: bool
    trusted: tuple[str, ...] = ()
    address: str = ""
    by_protocol: bool = False
    protocol_from_anybody: bool = False

    @property
    def from_some(self) -> bool:
        """Whether named networks are trusted."""
        return bool(self.trusted)

    @property
    def reason(self) -> str:
        """The setting that trusts every sender."""
        return "trustedIPs" if self.trusted else "insecure"


class Api(Value):
    """The API at a URL. Every request raises `ApiError`."""

    url: str

    def middleware(self, kind: MiddlewareKind, name: str) -> Middleware | None:
        """Return a middleware of the file provider; None when Traefik does not know it."""
        from urllib.parse import quote

        found = self._asked(f"/api/{kind.value}/middlewares/{quote(name, safe='')}@file")
        if found is None:
            return None
        if not isinstance(found, dict) or not isinstance(found.get("name"), str):
            raise self._odd("its middleware")
        said = {key: found[key] for key in ("ipAllowList", "ipWhiteList") if key in found}
        return Middleware(definition(said), _texts(found.get("error")))

    def routers(self, kind: MiddlewareKind) -> tuple[Router, ...]:
        """Return every router of a kind. A middleware's own list of users lacks those of TCP."""
        found = self._listed(f"/api/{kind.value}/routers", "its routers")
        return tuple(
            Router(
                one["name"],
                frozenset(_texts(one.get("middlewares"))),
                frozenset(_texts(one.get("using"))),
            )
            for one in found
        )

    def chains(self, kind: MiddlewareKind) -> dict[str, frozenset[str]]:
        """Return the chains of middlewares, by name; their links as `NAME@provider`, too.

        Traefik leaves out the provider of a link that no router uses yet: it is the chain's own.
        """
        found = self._listed(f"/api/{kind.value}/middlewares", "its middlewares")
        return {
            one["name"]: frozenset(
                link if "@" in link else f"{link}@{one['name'].rpartition('@')[2]}"
                for link in _texts(one["chain"].get("middlewares"))
            )
            for one in found
            if isinstance(one.get("chain"), dict)
        }

    def version(self) -> str:
        """Return the version of Traefik: `3.7.0`."""
        match self._asked("/api/version"):
            case {"Version": str(version)}:
                return version
            case _:
                raise self._odd("its version")

    def entry_points(self) -> tuple[TraefikEntryPoint, ...]:
        """Return the entry points, sorted by name."""
        found = self._listed("/api/entrypoints", "its entry points")
        return tuple(sorted(map(_entry_point, found), key=lambda one: one.name))

    def _listed(self, path: str, what: str) -> list[dict[str, Any]]:
        """Return all objects that have a name, on one page."""
        found = self._asked(f"{path}?per_page={ALL}")
        if not isinstance(found, list):
            raise self._odd(what)
        return [one for one in found if isinstance(one, dict) and isinstance(one.get("name"), str)]

    def _asked(self, path: str) -> Any:
        """Return the API's answer; None for an unknown object.

        Raises:
            ApiError: It is no answer of this API.
        """
        status, body = self._got(path)
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            raise ApiError(f"at {self.url} is no API of Traefik (HTTP status {status})") from None
        if status == NOT_FOUND and isinstance(said, dict) and "message" in said:
            return None
        if status != OK:
            raise ApiError(f"the API of Traefik at {self.url} answered with HTTP status {status}")
        return said

    def _got(self, path: str) -> tuple[int, bytes]:
        from http.client import HTTPException
        from urllib.parse import urlsplit

        parts = urlsplit(self.url)
        connection = _connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            connection.request("GET", parts.path.rstrip("/") + path, headers={"Accept": "*/*"})
            answer = connection.getresponse()
            return answer.status, answer.read(LARGEST)
        except ConnectionRefusedError:
            raise ApiUnreachable(f"nothing listens at {self.url}, the API of Traefik") from None
        except (OSError, HTTPException, ValueError) as error:
            why = getattr(error, "strerror", "") or type(error).__name__
            raise NoAnswer(f"no answer from the API of Traefik at {self.url}: {why}") from error
        finally:
            connection.close()

    def _odd(self, what: str) -> ApiError:
        return ApiError(f"the API of Traefik at {self.url} did not tell {what} as documented")


def _connection(scheme: str, host: str, port: int | None) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    kind = HTTPConnection if scheme == "http" else HTTPSConnection
    return kind(host, port, timeout=PATIENCE)


def _entry_point(told: dict[str, Any]) -> TraefikEntryPoint:
    from_anybody, trusted = _whom(told.get("forwardedHeaders"))
    return TraefikEntryPoint(
        told["name"],
        from_anybody,
        trusted,
        str(told.get("address", "")),
        bool(told.get("proxyProtocol")),
        _whom(told.get("proxyProtocol"))[0],
    )


def _whom(believed: Any) -> tuple[bool, tuple[str, ...]]:
    """Return whether every sender is trusted, and which networks are."""
    said = believed if isinstance(believed, dict) else {}
    trusted = _texts(said.get("trustedIPs"))
    networks = []
    for text in trusted:
        with suppress(ValueError):
            networks.append(ip_network(text, strict=False))
    return bool(said.get("insecure") or everybody(networks)), trusted


def _texts(listed: Any) -> tuple[str, ...]:
    return tuple(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else ()
