"""Errors of a Jellyfin server and of the way to it, in words that a person can act on."""

from __future__ import annotations


class JellyfinError(Exception):
    """A request failed."""


class JellyfinUnreachable(JellyfinError):
    """No connection: the server never saw the request."""


class JellyfinNoReply(JellyfinError):
    """The request was sent, and no whole reply came: a change may have been made."""


class JellyfinOddReply(JellyfinError):
    """A reply of unknown form, or one that reports trouble of the server: HTTP 5xx."""


class JellyfinRefused(JellyfinError):
    """The server refused (HTTP 4xx) or redirects (3xx): nothing was changed."""


REFUSALS = {
    401: "Jellyfin does not take the API key (HTTP 401): is it one of Dashboard > API Keys, and "
    "not revoked?",
    403: "the API key lacks rights (HTTP 403): it is not one of Dashboard > API Keys, but of a "
    "user who is no administrator",
    404: "no API of Jellyfin is there (HTTP 404): is the base URL right?",
    503: "Jellyfin is starting, or its remote-address filter shuts out this machine (HTTP 503)",
}
