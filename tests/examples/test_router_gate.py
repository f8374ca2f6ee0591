"""The gate of a router that fetches its list, with the tools of such a router and by packets."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from threading import Thread
from typing import TYPE_CHECKING, Final

import pytest

from allowsync.config import load
from tests.support.documents import ROOT
from tests.support.echo import EchoIn
from tests.support.internet import (
    CONTAINER,
    CONTAINER6,
    ETH,
    FRIEND,
    FRIEND6,
    FRIEND_TOO,
    SERVER,
    Internet,
)
from tests.support.probe import IN_VAIN, PATIENCE, tcp_answers
from tests.support.program import allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

EXAMPLES: Final = ROOT / "examples"
JELLYFIN, LISTS = 8096, 8000
URL: Final = f"http://{CONTAINER}:{LISTS}/jellyfin.txt"
FORWARDED: Final = f"""
table ip nat {{
	chain dstnat {{
		type nat hook prerouting priority dstnat;
		iifname "{ETH}" tcp dport {JELLYFIN} dnat to {CONTAINER}
	}}
}}
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing about it."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Router:
    """The server of an internet as a router with BusyBox, before a machine that has the list."""

    def __init__(self, internet: Internet, folder: Path) -> None:
        self.internet, self.folder = internet, folder
        self.list = folder / "lists" / "jellyfin.txt"
        self.list.parent.mkdir()
        tools = folder / "tools"
        tools.mkdir()
        subprocess.run(("busybox", "--install", "-s", tools), check=True)
        self.path = f"{tools}:/usr/sbin"
        text = (EXAMPLES / "router-gate.sh").read_text()
        for shipped, here in (
            ("/etc/jellyfin-gate.txt", str(folder / "kept.txt")),
            (" -T 10", ""),  # BusyBox 1.35 of Debian ends by a signal when it has it
            ("wan=wan ", f"wan={ETH} "),
            ("192.168.178.20", CONTAINER),
            ("::20 ", f"::{CONTAINER6.rpartition('::')[2]} "),
        ):
            assert shipped in text
            text = text.replace(shipped, here)
        self.script = folder / "router-gate.sh"
        self.script.write_text(text)
        internet.server.nft(FORWARDED)

    def __call__(self, source: str = URL, stdin: str = "") -> int:
        """Run the script there. Returns its exit code."""
        done = self.internet.server.run(
            partial(subprocess.run, capture_output=True, text=True, check=False, input=stdin),
            ("sh", self.script, source),
            env={**os.environ, "PATH": self.path},
        )
        assert done.returncode == 0 or "the last one stays" in done.stderr, done.stderr
        return done.returncode

    def admit(self, *networks: str) -> None:
        """Let allowsync write the list."""
        hosts = (
            f"hosts: {{friends: {{networks: {list(networks)}}}}}"
            if networks
            else ("hosts: {friends: {networks: [203.0.113.7], until: 2020-01-01}}")
        )
        config = self.folder / "config.yaml"
        config.write_text(
            f"{hosts}\nallowlists: {{jellyfin: {{targets: [{{file: {{path: {self.list}}}}}]}}}}\n"
            f"state: {self.folder}/state/state.db\n"
        )
        config.chmod(0o600)
        done = allowsync("apply", "--force", "--config", config)
        assert done.code == 0, done.err

    def reached(self, source: str, to: str = SERVER, *, wait: float = IN_VAIN) -> bool:
        """Whether an address of the friend's home reaches Jellyfin."""
        return tcp_answers(self.internet.friend, to, JELLYFIN, source=source, wait=wait)

    def stranger(self) -> bool:
        return any(
            tcp_answers(self.internet.stranger, to, JELLYFIN, wait=IN_VAIN)
            for to in (SERVER, CONTAINER6)
        )


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with Internet() as made, EchoIn(made.container, (JELLYFIN,)):
        one = Router(made, tmp_path)
        handler = partial(Quiet, directory=str(one.list.parent))
        with made.container.run(ThreadingHTTPServer, ("", LISTS), handler) as server:
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            yield one
            server.shutdown()


def test_friends_on_the_list_reach_jellyfin_through_the_router(router: Router) -> None:
    assert router.stranger()
    assert router() == 1  # no list yet: the gate is shut
    assert not router.stranger()
    router.admit(f"{FRIEND}/32", f"{ip_network(f'{FRIEND6}/64', strict=False)}")
    assert router() == 0
    assert router.reached(FRIEND, wait=PATIENCE)
    assert router.reached(FRIEND6, CONTAINER6, wait=PATIENCE)
    assert not router.stranger()
    router.admit(f"{FRIEND_TOO}/32")
    assert router() == 0
    assert router.reached(FRIEND_TOO, wait=PATIENCE)
    assert not router.reached(FRIEND)
    assert not router.reached(FRIEND6, CONTAINER6)
    router.admit()
    assert router() == 0
    assert not router.reached(FRIEND_TOO)


def test_what_is_no_whole_list_changes_nothing(router: Router) -> None:
    router.admit(f"{FRIEND}/32", f"{FRIEND_TOO}/32")
    assert router() == 0
    good = router.list.read_text()
    first, *rest = good.splitlines(keepends=True)
    for text in (
        "",
        "<!DOCTYPE html>\n<title>Log in</title>\n",
        first.replace("allowlist", "denylist") + "".join(rest),
        "".join(rest),
        good.removesuffix("\n"),
        good[:-6],
        good + "0.0.0.0/0\n",
        good + "0.0.0.0/1\n",
        good + "185.199.108.0/24 } ; flush ruleset #\n",
    ):
        router.list.write_text(text)
        assert router() == 1, text
        assert router.reached(FRIEND, wait=PATIENCE), text
        assert not router.stranger(), text
    router.list.unlink()
    assert router() == 1
    assert router("-", good.replace(f"{FRIEND}/32\n", "")) == 0
    assert not router.reached(FRIEND)
    assert router.reached(FRIEND_TOO, wait=PATIENCE)


@pytest.mark.parametrize("source", [URL, "-"], ids=["fetched", "at boot"])
def test_a_restart_without_the_list_puts_up_the_last_one(router: Router, source: str) -> None:
    router.admit(f"{FRIEND}/32")
    assert router() == 0
    router.internet.server.nft("delete table inet jellyfin_gate")
    router.list.unlink()
    assert router(source) == 1
    assert router.reached(FRIEND, wait=PATIENCE)
    assert not router.stranger()


def test_the_configuration_beside_it_writes_that_list() -> None:
    config = load(EXAMPLES / "router-list.yaml", environ={"HOME": "/x"}, uid=65534)
    assert [one.name for one in config.targets] == ["jellyfin/file"]
    assert 'allowlist "jellyfin"' in (EXAMPLES / "router-gate.sh").read_text()
