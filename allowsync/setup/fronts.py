"""The questions about targets, and the backends that guard no ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value
from allowsync.setup.detect import default_zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class FrontQuestion(Value):
    """A question about a target.

    Attributes:
        key: Its option.
        text: The question.
        usual: The default answer, with `{allowlist}` or `{zone}` in it; empty without one.
        instead: Options that make it needless.
    """

    key: str
    text: str
    usual: str = ""
    instead: tuple[str, ...] = ()

    def answer(self, allowlist: str) -> str:
        """The default answer for an allowlist."""
        return self.usual.format(allowlist=allowlist, zone=default_zone())


def _file(usual: str) -> tuple[FrontQuestion, ...]:
    return (FrontQuestion("path", "File to write", usual),)


FRONTS: Final[Mapping[str, tuple[FrontQuestion, ...]]] = {
    "apache": _file("/etc/apache2/allowsync/{allowlist}.conf"),
    "caddy": _file("/etc/caddy/allowsync/{allowlist}.caddy"),
    "cloudflare": (
        FrontQuestion("account_id", "Account id (shown beside the domain in the dashboard)"),
        FrontQuestion("list", "List", "{allowlist}"),
        FrontQuestion(
            "api_token_file",
            "File that holds the API token",
            "/etc/allowsync/cloudflare.token",
            ("api_token_env", "api_token_credential"),
        ),
    ),
    "haproxy": _file("/etc/haproxy/{allowlist}.lst"),
    "jellyfin": (
        FrontQuestion("url", "Where Jellyfin is", "http://127.0.0.1:8096"),
        FrontQuestion("setting", "Which of its lists to keep", "remote_filter"),
        FrontQuestion(
            "api_key_file",
            "File that holds an API key",
            "/etc/allowsync/jellyfin.key",
            ("api_key_env", "api_key_credential"),
        ),
    ),
    "nginx": _file("/etc/nginx/allowsync/{allowlist}.conf"),
    "traefik": _file("/etc/traefik/dynamic/allowsync-{allowlist}.yml"),
}
"""Questions about web servers and lists, by the name of their backend: they guard no ports."""

_ASKED: Final = {
    **FRONTS,
    "firewalld": (FrontQuestion("zone", "Zone that packets arrive in", "{zone}"),),
}

# The ports of the enforcing server where clients connect. Cloudflare has none on this machine.
_SERVED: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(FRONTS, ("80/tcp", "443/tcp")),
    "cloudflare": (),
    "jellyfin": ("8096/tcp", "8920/tcp"),
}


def open_questions(backend: str, said: Iterable[str]) -> tuple[FrontQuestion, ...]:
    """The remaining questions about a target, given the known options."""
    known = set(said)
    return tuple(
        one for one in _ASKED.get(backend, ()) if known.isdisjoint((one.key, *one.instead))
    )


def watched(backend: str, ports: tuple[str, ...]) -> tuple[str, ...]:
    """The ports whose clients a target will allow or block."""
    return ports or _SERVED.get(backend, ())
