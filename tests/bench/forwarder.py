"""A dnsmasq with its own defaults, as many homes and servers have one."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from allowsync.model.nameserver import Nameserver
from tests.bench.questions import ask_one_by_one, queries
from tests.support.ports import unused_port

if TYPE_CHECKING:
    from collections.abc import Iterator

START = 20.0  # seconds


@contextmanager
def dnsmasq(upstream: Nameserver) -> Iterator[Nameserver]:
    """Start it on loopback, forwarding to `upstream`, and wait until it answers."""
    port = unused_port()
    process = subprocess.Popen(
        [
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-hosts",
            "--no-resolv", f"--server={upstream.address}#{upstream.port}", f"--port={port}",
            "--listen-address=127.0.0.1", "--bind-interfaces", "--user=root", "--log-facility=-",
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port)
        yield Nameserver("127.0.0.1", port)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    give_up = time.monotonic() + START
    while time.monotonic() < give_up:
        # The kernel refuses for a port nobody listens on yet.
        with suppress(ConnectionRefusedError):
            return ask_one_by_one(("127.0.0.1", port), queries([0]))
        time.sleep(0.02)
    raise TimeoutError("dnsmasq does not answer")
