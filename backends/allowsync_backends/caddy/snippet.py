"""The places of our snippet in a configuration, and the handlers before it. Pure.

Caddy's own adapter decides the order in which a Caddyfile's directives take effect: it sorts
`handle` and `route` before `abort` and `respond`, wherever those are written (but within `route`,
nothing is sorted). This judges its JSON: servers with routes, tried from the first to the last,
with handlers of which some hold routes themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.model.target import Effect
from allowsync.model.value import Value
from allowsync_backends.caddy.options import DeniedResponse, Matcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from allowsync.model.types import Network

Json = dict[str, Any]

# Handlers that pass a request on to the next one, or answer without any protected content.
_HARMLESS: Final = frozenset(
    {
        "authentication",
        "copy_response",
        "copy_response_headers",
        "encode",
        "error",
        "headers",
        "intercept",
        "log_append",
        "map",
        "push",
        "request_body",
        "rewrite",
        "static_response",
        "templates",
        "tracing",
        "vars",
    }
)


class SnippetGate(Value):
    """One place where strangers are refused.

    Attributes:
        site: The site's names, or the addresses its server listens on.
        ahead: Handlers that answer before it, as `file_server` or `reverse_proxy at /x/*`.
    """

    site: str
    ahead: tuple[str, ...]


class Snippet(Value):
    """Our snippet as it appears in JSON."""

    matcher: Matcher
    refusal: DeniedResponse
    networks: frozenset[Network]
    effect: Effect = Effect.ALLOW

    def gates(self, config: Json) -> Iterator[SnippetGate]:
        """Yield every place of it."""
        servers = _dicts(config, "apps", "http", "servers")
        for server in servers.values():
            if isinstance(server, dict):
                name = ", ".join(map(str, _list(server, "listen")))
                yield from self._within(_routes(server), name, ())

    def _within(
        self, routes: Sequence[Json], site: str, ahead: tuple[str, ...]
    ) -> Iterator[SnippetGate]:
        for route in routes:
            if self._is_gate(route):
                yield SnippetGate(site, (*ahead, *self._answering(route)))
                return
            free = "match" not in route and "group" not in route
            for handler in _handlers(route):
                if handler.get("handler") == "subroute":
                    around = ahead if free else ()
                    yield from self._within(_routes(handler), _hosts(route) or site, around)
            ahead = (*ahead, *self._answering(route))

    def _is_gate(self, route: Json) -> bool:
        if not any(map(self._refuses, _handlers(route))):
            return False
        conditions = _list(route, "match")
        if not self.networks:
            return not conditions and self.effect is Effect.ALLOW
        return [self._ranges(one) for one in conditions] == [sorted(map(str, self.networks))]

    def _refuses(self, handler: Json) -> bool:
        if handler.get("handler") != "static_response":
            return False
        if self.refusal is DeniedResponse.ABORT:
            return handler.get("abort") is True
        return str(handler.get("status_code")) == "403"

    def _ranges(self, condition: Any) -> list[str]:
        only = condition
        if self.effect is Effect.ALLOW:
            match condition:
                case {"not": [inner], **rest} if not rest:
                    only = inner
                case _:
                    return []
        if not isinstance(only, dict) or only.keys() != {self.matcher.value}:
            return []
        return sorted(map(str, _list(only[self.matcher.value], "ranges")))

    def _answering(self, route: Json) -> Iterator[str]:
        """Yield handlers of a route that may answer a client before our snippet does."""
        paths = " ".join(str(path) for one in _list(route, "match") for path in _list(one, "path"))
        at = f" at {paths}" if paths else ""
        is_gate = self._is_gate(route)
        for handler in _handlers(route):
            if is_gate and self._refuses(handler):
                return
            if handler.get("handler") == "subroute":
                yield from (f"{one}{at}" for one in self._answering_within(handler))
            elif handler.get("handler") not in _HARMLESS and not _asks_for_leave(handler):
                yield f"{handler.get('handler')}{at}"

    def _answering_within(self, subroute: Json) -> Iterator[str]:
        for route in _routes(subroute):
            yield from self._answering(route)
            if self._is_gate(route):
                return


def admin_is_off(config: Json) -> bool:
    """Whether the running Caddy accepts no commands."""
    return _dicts(config, "admin").get("disabled") is True


def admin_address(config: Json) -> str:
    """Return the address of Caddy's admin API; by default Caddy's own default."""
    listen = _dicts(config, "admin").get("listen")
    return listen if isinstance(listen, str) else "localhost:2019"


def _asks_for_leave(handler: Json) -> bool:
    """Whether it is `forward_auth`: a proxy that continues if the other end agrees."""
    return "handle_response" in handler and "rewrite" in handler


def _hosts(route: Json) -> str:
    return ", ".join(str(name) for one in _list(route, "match") for name in _list(one, "host"))


def _routes(of: Json) -> list[Json]:
    return [one for one in _list(of, "routes") if isinstance(one, dict)]


def _handlers(route: Json) -> list[Json]:
    return [one for one in _list(route, "handle") if isinstance(one, dict)]


def _list(of: Any, key: str) -> Iterable[Any]:
    found = of.get(key) if isinstance(of, dict) else None
    return found if isinstance(found, list) else []


def _dicts(of: Mapping[str, Any], *keys: str) -> Json:
    found: Any = of
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
