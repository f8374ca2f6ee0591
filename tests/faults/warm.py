"""A warm interpreter that runs `allowsync` again and again, each time held at its system calls.

Starting the program takes many times as long as a run; here everything is imported already, and
each run is a fork. It is driven by lines of JSON on standard input and output (see
`tests.faults.harness`).

A run can be killed at a call, before that happens; a call can fail; or the run waits there, or at
every one that changes something, until the other side has done something. A place in a run is a
process and the number of the call in it, so that it stays the same whatever the order of two
processes.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.faults.system_calls import Held, hand_over, let_go, receive, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

PR_SET_CHILD_SUBREAPER: Final = 36
READING: Final = ("open", "openat", "pread64", "flock")
PATIENCE: Final = 0.05  # seconds between looks at what ended without a sound


@dataclass
class Run:
    """One run, as it is watched."""

    order: Mapping[str, Any]
    main: int
    listener: int
    calls: list[tuple[int, str, str]] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    hit: str = ""
    status: int | None = None

    def watch(self) -> None:
        """Decide about each call until no process of the run is left."""
        if self.listener < 0:
            return self._reap(0)
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        while True:
            for _, event in poll.poll(PATIENCE * 1000):
                if event & select.POLLIN:
                    call = receive(self.listener)
                    if call is not None:
                        self._decide(call)
                elif event & (select.POLLHUP | select.POLLERR):
                    os.close(self.listener)
                    return self._reap(0)
            self._reap(os.WNOHANG)

    def _reap(self, how: int) -> None:
        """Take leave of processes that ended; orphans are ours, too."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, how))[0]:
                if ended[0] == self.main:
                    self.status = os.waitstatus_to_exitcode(ended[1])

    def _decide(self, call: Held) -> None:
        process = self._process(call.pid)
        self.counts[process] = number = self.counts.get(process, 0) + 1
        if self.order.get("list"):
            self.calls.append((process, call.kind, call.what))
        here = [process, number] == self.order.get("at")
        if here:
            self.hit = f"{process}.{number} {call.name} {call.what}"
        if here and "kill" in self.order:
            self._kill(call)
        elif (here and "pause" in self.order) or self._is_looked_at(call):
            print(json.dumps({"paused": f"{call.name} {call.what}"}), flush=True)
            sys.stdin.readline()
        if "error" in self.order and (here or self._goes_on(call)):
            refuse(self.listener, call, self.order["error"])
        else:
            let_go(self.listener, call)

    def _is_looked_at(self, call: Held) -> bool:
        """Whether the other side wants to look around before each such call."""
        return "look" in self.order and call.kind not in READING and "state.db" not in call.what

    def _process(self, pid: int) -> int:
        """0 for the program itself, then its children in the order they were made in."""
        if pid not in self.processes:
            with suppress(OSError):  # the program was killed
                made = Path(f"/proc/{self.main}/task/{self.main}/children").read_text().split()
                self.processes += [one for one in map(int, made) if one not in self.processes]
        if pid not in self.processes:  # a child's child
            self.processes.append(pid)
        return self.processes.index(pid) if pid != self.main else 0

    def _goes_on(self, call: Held) -> bool:
        """Whether a disk that failed once fails here, too."""
        return bool(self.hit and self.order.get("lasting")) and is_lasting(call.kind, call.what)

    def _kill(self, call: Held) -> None:
        victims = {"all": {self.main, call.pid}, "program": {self.main}, "child": {call.pid}}
        for pid in victims[self.order["kill"]]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def is_lasting(name: str, what: str) -> bool:
    """Whether a call changes something on a disk."""
    if name in ("sendto", "sendmsg", "execve", "flock", "pread64", "open", "openat"):
        return False
    return not what.startswith(("pipe:", "socket:", "/memfd:", "/dev/"))


def carry_out(order: Mapping[str, Any]) -> dict[str, Any]:
    """Run the program once, as ordered."""
    out, err = os.memfd_create("out"), os.memfd_create("err")
    ours, theirs = socket.socketpair()
    main = os.fork()
    if main == 0:
        ours.close()
        become_the_program(order, out, err, theirs)
    theirs.close()
    with ours:
        listeners = socket.recv_fds(ours, 1, 1)[1] if is_watched(order) else [-1]
    run = Run(order, main, listeners[0], processes=[main])
    run.watch()
    return {
        "code": run.status, "out": drained(out), "err": drained(err), "hit": run.hit,
        "calls": run.calls,
    }  # fmt: skip


def is_watched(order: Mapping[str, Any]) -> bool:
    """Whether anything is wanted of the calls of a run."""
    return not {"at", "list", "look"}.isdisjoint(order)


def drained(descriptor: int) -> str:
    """All that was written."""
    text = os.pread(descriptor, 1 << 24, 0).decode(errors="replace")
    os.close(descriptor)
    return text


def become_the_program(order: Mapping[str, Any], out: int, err: int, to: socket.socket) -> None:
    """Run `allowsync` as this process, and end it."""
    from allowsync.__main__ import main

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.argv = ["allowsync", *order["argv"]]
    code = None
    try:
        if is_watched(order):
            hand_over(to)
        to.close()
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        if code is None:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(1 if code is None else code)


def warm_up(arguments: list[str]) -> dict[str, Any]:
    """Run the program once as this very process, so that no run imports anything any more."""
    from allowsync.cli import run_command_line

    with redirect_stdout(StringIO()):
        return {"code": run_command_line(arguments), "out": "", "err": "", "hit": "", "calls": []}


def serve() -> None:
    """Carry out orders until there are no more."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for line in sys.stdin:
        order = json.loads(line)
        done = warm_up(order["warm"]) if "warm" in order else carry_out(order)
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    serve()
