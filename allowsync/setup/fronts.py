"""Targets that guard no ports: web servers and lists, and what each has to be told at first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class FrontQuestion(Value):
    """What is asked about a target.

    Attributes:
        key: Its option.
        text: The question.
        usual: The answer where nothing else is said, with `{allowlist}` in it; empty where there is
            none.
        instead: Options that make it needless.
    """

    key: str
    text: str
    usual: str = ""
    instead: tuple[str, ...] = ()


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
"""What each is asked, by the name of its backend."""

# Where clients are connected to what decides. To Cloudflare they never are.
_SERVED: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(FRONTS, ("80/tcp", "443/tcp")),
    "cloudflare": (),
    "jellyfin": ("8096/tcp", "8920/tcp"),
}


def open_questions(backend: str, said: Iterable[str]) -> tuple[FrontQuestion, ...]:
    """What is still to be asked about a target, by the options that are known."""
    known = set(said)
    return tuple(
        one for one in FRONTS.get(backend, ()) if known.isdisjoint((one.key, *one.instead))
    )


def watched(backend: str, ports: tuple[str, ...]) -> tuple[str, ...]:
    """The ports whose clients will be judged by a target."""
    return ports or _SERVED.get(backend, ())
