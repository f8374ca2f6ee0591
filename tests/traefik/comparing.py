"""Whether the stand-in tells of a folder what Traefik tells of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.traefik.options import MiddlewareKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync_backends.traefik.api import Api

PATIENCE: Final = 60.0
NAMES: Final = ("allowsync-x", "other", "unknown")

LIST: Final = 'http: {middlewares: {allowsync-x: {ipAllowList: {sourceRange: ["81.2.69.1/32"]}}}}\n'
TCP_LIST: Final = LIST.replace("http:", "tcp:")

MORE: Final = """
http:
  middlewares:
    allowsync-x:
      ipAllowList:
        sourceRange: ["81.2.69.1/32", "2a02::/64"]
        ipStrategy: {excludedIPs: ["10.0.0.0/8"]}
        rejectStatusCode: 404
"""
CHAIN: Final = "http: {middlewares: {other: {chain: {middlewares: [allowsync-x]}}}}"
USE: Final = """
http:
  routers: {use: {rule: Host(`a`), service: app, entryPoints: [web], middlewares: [other]}}
"""

LINK: Final = "a link to nothing"

# What is written into the folder one after the other; None takes a file away. In no moment between
# is there anything else to be seen, or who sees it would be a race.
SITUATIONS: Final[tuple[tuple[str, dict[str, str | None]], ...]] = (
    ("a router without its middleware", {}),
    ("a middleware", {"friends.yml": LIST}),
    ("other networks", {"friends.yml": LIST.replace(".1/", ".2/")}),
    ("of both kinds", {"friends.yml": LIST + TCP_LIST}),
    ("no network", {"friends.yml": LIST.replace('"81.2.69.1/32"', "")}),
    ("no network of TCP", {"friends.yml": TCP_LIST.replace('"81.2.69.1/32"', "")}),
    ("nobody", {"friends.yml": LIST.replace("81.2.69.1/32", "255.255.255.255")}),
    ("what is no network", {"friends.yml": LIST.replace("/32", "/99")}),
    ("more settings", {"friends.yml": MORE}),
    ("in the words of version 2", {"friends.yml": LIST.replace("ipAllowList", "ipWhiteList")}),
    ("a broken file beside", {"broken.yml": "http: ["}),
    ("a change beside a broken file", {"friends.yml": LIST}),
    ("a link to nothing beside", {"nothing.yml": LINK, "broken.yml": None}),
    ("a change beside it", {"friends.yml": LIST.replace(".1/", ".3/")}),
    ("the link is gone", {"broken.yml": "http: [", "nothing.yml": None}),
    ("a change of a broken file", {"broken.yml": "http: {"}),
    ("the broken file is gone", {"broken.yml": None}),
    ("a second file with the name", {"zz.yml": LIST.replace(".1/", ".9/")}),
    ("a file of another ending", {".friends.yml.allowsync-new": LIST, "zz.yml": None}),
    ("a chain", {"other.yml": CHAIN}),
    ("none any more", {"friends.yml": None}),
    ("a router that uses it through the chain", {"friends.yml": LIST, "use.yml": USE}),
)


def differences(real: Api, folder: Path, standin: Api, copy: Path) -> Iterator[str]:
    """A line for each situation in which both do not tell the same."""
    for name, files in SITUATIONS:
        for file, text in files.items():
            _put(folder, file, text)
            _put(copy, file, text)
        deadline = time.monotonic() + PATIENCE
        while (told := _told(real)) != (expected := _told(standin)):
            if time.monotonic() > deadline:
                yield f"{name}: Traefik tells {told}, the stand-in {expected}"
                break
            time.sleep(0.05)


def _put(folder: Path, name: str, text: str | None) -> None:
    if text is None:
        (folder / name).unlink()
        return
    if text is LINK:
        (folder / name).symlink_to("nothing")
        return
    draft = folder / ".draft"
    draft.write_text(text)
    draft.replace(folder / name)


def _told(api: Api) -> dict[str, Any]:
    """What our client makes of an API's answers; that there is an error, not its words."""
    told: dict[str, Any] = {}
    for kind in MiddlewareKind:
        for name in NAMES:
            found = api.middleware(kind, name)
            told[f"{kind.value} {name}"] = found and (found.definition, bool(found.errors))
        routers = {
            one.name: (sorted(one.middlewares), sorted(one.entry_points))
            for one in api.routers(kind)
            if not one.name.endswith("@internal")
        }
        told[f"{kind.value} routers"] = routers
        told[f"{kind.value} chains"] = {a: sorted(b) for a, b in api.chains(kind).items()}
    return told
