"""HAProxy as a server: its configuration check, its reload, and findings about it."""

from __future__ import annotations

import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity
from allowsync_backends.common.server.processes import takes
from allowsync_backends.common.server.reader import PATIENCE, STEP, ServerProgram, ServerReader
from allowsync_backends.common.server.supervisor import ReloadMethod, Unit
from allowsync_backends.haproxy.configuration import (
    believed,
    is_in_a_condition,
    lines,
    open_sockets,
    turned_round,
    uses,
)
from allowsync_backends.haproxy.trust import believers, open_protocols

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from allowsync.model.target import Effect, TrustedProxies
    from allowsync_backends.haproxy.configuration import Use
    from allowsync_backends.haproxy.options import HaproxyOptions

_RELOAD: Final = signal.SIGUSR2
_BETWEEN_WORKERS: Final = 1.0  # seconds
_PROTOCOL: Final = "in its section: tcp-request connection reject unless { src PROXIES }"
_REFUSALS: Final = {"allow": "http-request deny unless", "deny": "http-request deny if"}
_REFUSED: Final = {
    "allow": "hosts, and lets everyone else in",
    "deny": "everyone but what is blocked",
}
_TRUST: Final = "use src, or trust only your own proxy: 'if { src -f PROXIES }'"


def haproxy(options: HaproxyOptions, effect: Effect) -> ServerProgram:
    """Return HAProxy's particulars (haproxy(1), "Management Guide", 4).

    Its master process starts new workers on SIGUSR2. The old ones hand over their listening
    sockets, and end with their present connections.
    """
    return ServerProgram(
        "haproxy",
        check=(*options.command, "-c"),
        notice=ReloadMethod(signal=_RELOAD),
        renews=True,
        inspect=partial(_findings, options, effect),
        proxies=partial(_proxies, options),
    )


class HaproxyReader(ServerReader):
    """HAProxy, reloaded."""

    def take_notice(self) -> str:
        """Signal its master process once that handles the signal.

        A process that is no master would end by the same signal.
        """
        if not self.reload:
            try:
                if not isinstance(self.running, Unit) and self._is_alone():
                    return "haproxy has no master process (option -W), so it cannot be reloaded"
                self._let_reload_end()
            except BackendError as error:
                return str(error)
        return ServerReader.take_notice(self)

    def _is_alone(self) -> bool:
        """Whether there is one process, and stays so: a master may be between two workers."""
        deadline = time.monotonic() + _BETWEEN_WORKERS
        while len(self.running.processes()) == 1:
            if time.monotonic() >= deadline:
                return True
            time.sleep(STEP)
        return False

    def _let_reload_end(self) -> None:
        """Wait for the end of a reload in progress.

        A reloading master re-executes itself, twice, and drops signals meanwhile: its new worker
        starts before it handles signals again. That worker may have read the old file.

        Raises:
            BackendError: The processes could not be listed.
        """
        deadline = time.monotonic() + PATIENCE
        while self._is_reloading() and time.monotonic() < deadline:
            time.sleep(STEP)

    def _is_reloading(self) -> bool:
        """Whether no visible process handles the signal, or systemd reports a reload."""
        if isinstance(self.running, Unit) and self.running.is_reloading():
            return True
        seen = {takes(pid, _RELOAD) for pid in self.running.processes()} - {None}
        return bool(seen) and True not in seen


def _findings(options: HaproxyOptions, effect: Effect, path: Path) -> Iterator[Finding]:
    """Report why the file has no effect, by the configuration."""
    texts = {} if options.container is not None else dict(_texts(options.config))
    if not texts:
        return
    written = lines(texts)
    used = tuple(uses(written, str(path)))
    refusal = _REFUSALS[effect.value]
    if not used:
        names = " and ".join(map(str, options.config))
        what = f"no ACL in {names} reads {path}: it has no effect"
        yield Finding(Severity.ERROR, what, f"{refusal} {{ src -f {path} }}")
    for use in used:
        if use.name and not is_in_a_condition(written, use.name):
            what = f"{use.line.place}: acl {use.name} is in no condition: it has no effect"
            yield Finding(Severity.ERROR, what, f"{refusal} {use.name}")
        for line in turned_round(written, use, allow=effect.value == "allow"):
            what = f"{line.place}: the rule refuses {_REFUSED[effect.value]}"
            yield Finding(Severity.ERROR, what, f"{refusal} {use.name or f'{{ src -f {path} }}'}")
        yield from _of_fetch(use)
    for line in believers(written, str(path)):
        what = f"{line.place}: a header that any client can send sets the source address"
        yield Finding(Severity.WARNING, what, _TRUST)
    for line in open_protocols(written):
        what = f"{line.place}: any client can write a PROXY header, and say where it comes from"
        yield Finding(Severity.WARNING, what, _PROTOCOL)
    for line in open_sockets(written):
        what = f"{line.place}: any client of this socket can add itself to the list"
        yield Finding(Severity.WARNING, what, "a path and 'mode 660', or take it away")


def _of_fetch(use: Use) -> Iterator[Finding]:
    """Report a list used for a sample other than a client's address."""
    if use.is_said:
        what = f"{use.line.place}: {use.fetch} is what a client says, not where it comes from"
        yield Finding(Severity.WARNING, what, _TRUST)
    if use.is_changed:
        what = f"{use.line.place}: {use.fetch} is looked up, not the address of a client"
        yield Finding(Severity.WARNING, what, "use src: a list has the addresses of hosts")


def _proxies(options: HaproxyOptions, path: Path) -> TrustedProxies | None:
    texts = {} if options.container is not None else dict(_texts(options.config))
    return believed(lines(texts), str(path))


def _texts(places: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Yield the readable files of a configuration, by their paths and in order."""
    for place in places:
        # Of a folder HAProxy reads files that end in .cfg, in the order of the C locale.
        for file in sorted(place.glob("*.cfg")) if place.is_dir() else (place,):
            try:
                yield str(file), file.read_text(errors="replace")
            except OSError:
                continue
