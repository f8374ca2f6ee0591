"""A run with nothing to do, which is what nearly every run is."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.bench import plain_script
from tests.bench.place import Place, names, place
from tests.bench.scenario import OURS, Figure, Scenario, at_most
from tests.support.listener import PortListener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.scenario import Sides
    from tests.support.netns import Namespace

HOSTS = 3
LATENCY = 0.02
PLAIN = "plain script"
BARE = "bare Python"

THEIR_SET = "inet filter trusted"
THEIR_RULES = (
    "table inet filter {\n"
    "  set trusted { type ipv4_addr; }\n"
    "  chain input { type filter hook input priority filter;"
    " tcp dport 8443 ip saddr != @trusted drop; }\n"
    "}\n"
)


@contextmanager
def three_hosts() -> Iterator[Sides]:
    """The program, a plain script and an empty Python program, each with its own gate in sync."""
    with place(LATENCY) as here:
        here.configure(HOSTS, {"nftables": {"ports": ["443/tcp"]}})
        here.settle()
        script = _plain(here)
        yield {
            OURS: here.run,
            PLAIN: lambda: here.cost(*script),
            BARE: lambda: here.cost(here.python, "-c", "pass"),
        }


@contextmanager
def watched() -> Iterator[Sides]:
    """The program with metrics to write and a monitor to ping; an empty Python program."""
    with place(LATENCY) as here, _monitor(here.namespace) as monitor:
        here.configure(
            HOSTS,
            {"nftables": {"ports": ["443/tcp"]}},
            metrics=str(here.folder / "allowsync.prom"),
            heartbeat=f"http://{monitor.place}/ping/1",
        )
        here.settle()
        yield {OURS: here.run, BARE: lambda: here.cost(here.python, "-c", "pass")}


@contextmanager
def _monitor(inside: Namespace) -> Iterator[PortListener]:
    """A monitor that is in a namespace, with the thread that serves it."""
    with ExitStack() as stack:
        yield inside.run(stack.enter_context, PortListener())


def _plain(here: Place) -> tuple[str, ...]:
    """Put the plain script's set in place and its names into a file; its command line."""
    here.namespace.nft(THEIR_RULES)
    hosts = here.folder / "hosts.txt"
    hosts.write_text("\n".join(names(HOSTS)) + "\n")
    script = (
        here.python,
        plain_script.__file__,
        str(hosts),
        str(here.folder / "known.txt"),
        THEIR_SET,
    )
    here.cost(*script)
    return script


SCENARIOS = (
    Scenario(
        "idle",
        "nothing to do: 3 hosts, 20 ms to the resolver, nftables gate read back",
        three_hosts,
        (
            at_most(Figure.WALL, 0.9, PLAIN),
            at_most(Figure.WALL, 0.6, PLAIN, then=True),
            at_most(Figure.PROCESSOR, 2, PLAIN),
            at_most(Figure.PROCESSOR, 1.2, PLAIN, then=True),
            at_most(Figure.MEMORY, 36),
            at_most(Figure.MEMORY, 28, then=True),
        ),
        runs=15,
        root=True,
        programs=("nft",),
    ),
    Scenario(
        "idle-watched",
        "the same with a file of metrics to write and a monitor to ping over HTTP",
        watched,
        (at_most(Figure.MEMORY, 36), at_most(Figure.MEMORY, 28, then=True)),
        runs=15,
        root=True,
        programs=("nft",),
    ),
)
