"""The resolver's process: what it may not do, and that nothing it does hurts the run."""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from fcntl import F_SETPIPE_SZ, fcntl
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from allowsync.dns import process
from allowsync.dns.answer_lines import END, confined, written
from allowsync.dns.process import GRACE, ResolverProcess
from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.types import BOTH_FAMILIES, Family, Query
from allowsync.system.fork import Confinement
from allowsync.system.sandbox import NUMBER
from testkit.fake_dns.behaviours import Silent
from testkit.fake_dns.exchanges import DnsReply, DnsRequest
from testkit.fake_dns.forgeries import Drip, Garbage, HangUp, Truncated
from testkit.fake_dns.nameserver import NameServer
from tests.allowsync.dns.asking import ALICE, BOTH, IPV4, children, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Entry = Callable[[int, int], None]

QUERIES = [Query(ALICE, family) for family in BOTH_FAMILIES]
FOUND = [Found((ip_address(text),), 60) for text in BOTH]
CONFINED = confined(Confinement(is_sound=True, lacking=""))


@contextmanager
def asking(
    deadline: float = 20.0, *servers: NameServer, **more: float
) -> Iterator[ResolverProcess]:
    before = children()
    with ResolverProcess() as resolver:
        yield resolver.use(settings(*servers, deadline=deadline, **more))  # type: ignore[arg-type]
    assert children() == before


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[Entry], None]:
    """Have the process do something else, as if it had been taken over."""
    return lambda entry: monkeypatch.setattr(
        process, "_serve", lambda requests, lines, *_: entry(requests, lines)
    )


def test_it_answers_in_several_rounds() -> None:
    told: list[tuple[int, int]] = []
    bob = [Query("bob.example.org", family) for family in BOTH_FAMILIES]
    with (
        NameServer({ALICE: BOTH, "bob.example.org": [IPV4]}) as server,
        ResolverProcess(lambda *at: told.append(at)) as resolver,
    ):
        resolver.use(settings(server))
        assert list(resolver(QUERIES).values()) == FOUND
        assert told[-1] == (2, 2)
        assert told == sorted(told)
        said = resolver.survey([*QUERIES, *bob, *bob])
    name = str(server.nameserver)
    answers = [said[query][name] for query in (*QUERIES, *bob)]
    assert answers == [*FOUND, FOUND[0], Absent("NODATA")]


def data_bound(hosts: int) -> int:
    """The octets of data that the process may have, as the kernel knows it."""
    with NameServer({ALICE: BOTH}) as server, ResolverProcess() as resolver:
        resolver.use(settings(server), hosts)
        assert list(resolver(QUERIES).values()) == FOUND
        bounds = [Path(f"/proc/{one}/limits").read_text() for one in children()]
    found = [re.search(r"Max data size +(\d+) ", one) for one in bounds]
    return min(int(one[1]) for one in found if one is not None)


def test_it_may_have_more_memory_for_many_hosts() -> None:
    assert data_bound(50_000) - data_bound(3) > 500 * 2**20


def test_it_asks_nothing_where_nothing_is_asked() -> None:
    with asking() as resolver:
        assert resolver([]) == {}
        assert resolver.survey([]) == {}


@pytest.mark.usefixtures("unhurried")
def test_what_is_put_ahead_is_asked_once_and_asked_anew_the_next_time() -> None:
    bob = Query("bob.example.org", Family.IPV4)
    zones = {ALICE: BOTH, "bob.example.org": [IPV4]}
    with NameServer(zones) as server, asking(20.0, server) as resolver:
        resolver.ahead([*QUERIES, *QUERIES])
        assert resolver([bob, *QUERIES]) == {
            bob: FOUND[0],
            **dict(zip(QUERIES, FOUND, strict=True)),
        }
        assert len(server.asked) == 3
        server.zones[ALICE] = [IPV4]
        assert list(resolver(QUERIES).values()) == [FOUND[0], Absent("NODATA")]


@pytest.mark.usefixtures("unhurried")
def test_a_survey_does_not_take_the_answers_to_what_was_put_ahead() -> None:
    with NameServer({ALICE: BOTH}) as server, asking(20.0, server) as resolver:
        resolver.ahead(QUERIES)
        said = resolver.survey(QUERIES[:1])
        assert said == {QUERIES[0]: {str(server.nameserver): FOUND[0]}}
        assert list(resolver(QUERIES).values()) == FOUND
        assert len(server.asked) == 3


def heard(resolver: ResolverProcess) -> None:
    """Wait until something came from the process."""
    assert select.select([resolver._process.source], [], [], 60)[0]  # type: ignore[union-attr]


def test_an_answer_put_ahead_counts_however_late_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with NameServer({ALICE: BOTH}) as server, asking(20.0, server) as resolver:
        resolver.ahead(QUERIES)
        heard(resolver)
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 20.0 + GRACE + 1.0)
        monkeypatch.setattr(process, "time", later)
        assert list(resolver(QUERIES).values()) == FOUND


def test_what_is_put_ahead_goes_on_while_no_answer_is_read() -> None:
    many = [Query(f"host{n}.example.org", Family.IPV6) for n in range(400)]
    names = {query.hostname for query in many}
    homes = [ip_address(f"2a01:4f8:{n}:1234:5678:9abc:def0:1") for n in range(1, 7)]
    with NameServer({"*": homes}) as server, asking(20.0, server, timeout=15.0) as resolver:
        fcntl(resolver._process.source, F_SETPIPE_SZ, 4096)  # type: ignore[union-attr]
        resolver.ahead(many)
        before = time.monotonic() + 60
        while (asked := {one.hostname for one in server.asked}) != names:
            assert time.monotonic() < before, len(asked)
            time.sleep(0.05)
        assert set(resolver(many).values()) == {Found(tuple(homes), 60)}


def test_more_than_the_pipe_holds_is_not_put_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LARGEST", process.PIPE)
    far = ".".join(["x" * 60] * 3)
    many = [Query(f"host{n}.{far}.example.org", Family.IPV4) for n in range(200)]
    with NameServer({"*": BOTH}) as server, asking(20.0, server) as resolver:
        resolver.ahead(many)
        time.sleep(0.3)
        assert server.asked == []
        assert set(resolver(many).values()) == {FOUND[0]}
        assert len({one.hostname for one in server.asked}) == len(many)


# ---- What it may not do.


def facts(resolver: ResolverProcess) -> tuple[Path, dict[str, str]]:
    """Where `/proc` tells of it, and what its status says."""
    pid = children()[-1]  # the one before reads aliases
    place = Path("/proc") / pid
    lines = (place / "status").read_text().splitlines()
    return place, {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


@pytest.mark.usefixtures("as_root")
def test_it_has_no_rights_and_nothing_of_the_run() -> None:
    with NameServer({ALICE: BOTH}) as server, asking(20.0, server) as resolver:
        assert list(resolver(QUERIES).values()) == FOUND
        place, status = facts(resolver)
        assert status["Uid"].split() == status["Gid"].split() == [str(NUMBER)] * 4
        assert status["Groups"] == ""
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind], 16) == 0, kind
        assert status["NoNewPrivs"] == "1"
        files = {one.name: str(one.readlink()) for one in (place / "fd").iterdir()}
        assert [files.pop(n) for n in "012"] == ["/dev/null"] * 3
        assert all(text.startswith("pipe:") for text in files.values())
        assert len(files) == 4  # to the run and back, to the process for aliases and back
        limits = dict(
            re.findall(r"^(.*?) {2,}(\d+|unlimited)", (place / "limits").read_text(), re.M)
        )
        assert limits["Max file size"] == limits["Max core file size"] == "0"
        assert int(limits["Max processes"]) <= 512
        assert int(limits["Max cpu time"]) <= 30
        assert limits["Max data size"] != "unlimited"
        assert (place / "mem").stat().st_uid == 0  # not dumpable: not even its own user may look
        assert resolver.lacking == ""


ATTEMPTS = """
import ctypes, os, socket, sys
def tried(what, call):
    try:
        call()
    except OSError as error:
        return
    except MemoryError:
        return
    print(what, flush=True)
tried("read", lambda: open("/etc/passwd"))
tried("list", lambda: os.listdir("/"))
tried("write", lambda: open("/dev/null", "w"))
tried("root", lambda: os.setuid(0))
tried("signal", lambda: os.kill(os.getppid(), 0))
tried("memory", lambda: bytearray(200 * 2**20))
tried("tcp", lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
tried("listen", lambda: socket.create_server(("127.0.0.1", 0)))
tried("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
tried("program", lambda: os.execv("/bin/true", ["true"]))
"""
CONFINE = """
import encodings.idna, socket
from allowsync.system.fork import Bounds
from allowsync.system.sandbox import confine
assert confine(Bounds(100 * 2**20, 5, (1,))).is_sound
"""


@pytest.mark.usefixtures("as_root")
def test_what_it_tries_does_not_work() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        free = subprocess.run(
            [sys.executable, "-c", ATTEMPTS, port], capture_output=True, text=True, check=True
        )
        bound = subprocess.run(
            [sys.executable, "-c", CONFINE + ATTEMPTS, port],
            capture_output=True,
            text=True,
            check=True,
        )
    assert free.stdout.split() == [
        *("read", "list", "write", "root", "signal", "memory", "tcp", "listen", "raw"),
    ]
    assert (bound.stdout, bound.stderr) == ("", "")


WITHOUT_LANDLOCK = """
import os
from allowsync.system import sandbox
from allowsync.system.fork import Bounds
def refused(*_):
    raise PermissionError(1, "Operation not permitted")
sandbox.restrict_files = refused
{more}
result = sandbox.confine(Bounds(100 * 2**20, 5))
print(result.is_sound, os.getuid(), sandbox._effective())
print(result.lacking)
"""
WALLED = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw"]


@pytest.mark.parametrize(
    ("wrapped", "more", "outcome"),
    [
        ([], "", "True 65530 0"),
        (WALLED, "", "True 0 0"),
        (WALLED, "sandbox._drop_capabilities = refused", f"True 0 {1 << 12 | 1 << 13}"),
        ([], "os.setresuid = refused", "False 0 0"),
    ],
    ids=["all of root", "a unit's root", "a unit's root without capset", "root that has to stay"],
)
@pytest.mark.usefixtures("as_root")
def test_without_landlock_only_a_root_with_all_its_power_asks_nothing(
    wrapped: list[str], more: str, outcome: str
) -> None:
    said = subprocess.run(
        [*wrapped, sys.executable, "-c", WITHOUT_LANDLOCK.format(more=more)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said[0] == outcome
    assert "Landlock: Operation not permitted" in said[1]


# ---- What it does when it was taken over.

HANGS = 240  # seconds; a run that took half as long would have waited for what hangs


def says(*pieces: bytes, then: Callable[[], object] = lambda: time.sleep(HANGS)) -> Entry:
    def entry(_requests: int, lines: int) -> None:
        for piece in pieces:
            os.write(lines, piece)
        then()

    return entry


def flood(_requests: int, lines: int) -> None:
    while True:
        os.write(lines, b"U 0 flooded\n" * 4096)


def fork_and_stay(_requests: int, lines: int) -> None:
    if os.fork():
        os.write(lines, CONFINED)
        return
    time.sleep(HANGS)


def stop(_requests: int, _lines: int) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


GOOD = written(0, FOUND[0])
NOT_BELIEVED = "what the resolver's process sent is not believed: "
TAKEN_OVER: dict[str, tuple[Entry, str]] = {
    "garbage": (says(b"\x80\x04garbage\0\n"), NOT_BELIEVED),
    "an answer before all": (says(GOOD), NOT_BELIEVED),
    "an answer unasked": (says(CONFINED, GOOD, written(2, FOUND[1])), NOT_BELIEVED),
    "an answer of another family": (says(CONFINED, GOOD, written(1, FOUND[0])), NOT_BELIEVED),
    "two answers to one": (says(CONFINED, GOOD, GOOD), NOT_BELIEVED),
    "too much": (says(CONFINED, GOOD, END + b"more"), NOT_BELIEVED),
    "a flood": (flood, NOT_BELIEVED),
    "its end": (says(then=lambda: os._exit(7)), "ended too early (exit code 7)"),
    "its death": (
        says(then=lambda: os.kill(os.getpid(), signal.SIGKILL)), "ended too early (signal 9)",
    ),
    "another process left behind": (fork_and_stay, "no answer before the deadline of 0.2 s"),
    "standing still": (stop, "no answer before the deadline of 0.2 s"),
    "saying nothing": (says(), "no answer before the deadline of 0.2 s"),
    "too many rights": (
        says(confined(Confinement(is_sound=False, lacking="user: no")), then=lambda: None),
        "keeps too many rights: user: no",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("entry", "reason"), TAKEN_OVER.values(), ids=list(TAKEN_OVER))
def test_whatever_it_does_the_run_knows_nothing_and_goes_on(
    entry: Entry, reason: str, instead: Callable[[Entry], None]
) -> None:
    instead(entry)
    began = time.monotonic()
    with asking(0.2 if "deadline" in reason else 60.0) as resolver:
        for _ in range(2):
            for answer in resolver(QUERIES).values():
                assert isinstance(answer, Unavailable)
                assert reason in answer.reason
        (answers,) = resolver.survey(QUERIES[:1]).values()
        assert all(isinstance(one, Unavailable) for one in answers.values())
    assert time.monotonic() - began < HANGS / 2


@pytest.mark.parametrize("then", [lambda: time.sleep(HANGS), lambda: os._exit(1)])
def test_what_had_arrived_before_it_was_lost_counts(
    then: Callable[[], object], instead: Callable[[Entry], None]
) -> None:
    instead(says(CONFINED, GOOD, then=then))
    with asking(0.2) as resolver:
        heard(resolver)
        first, second = resolver(QUERIES).values()
    assert first == FOUND[0]
    assert isinstance(second, Unavailable)


def test_many_questions_are_put_to_one_that_reads_none(instead: Callable[[Entry], None]) -> None:
    instead(says(CONFINED))
    many = [Query(f"host{n}.example.org", Family.IPV4) for n in range(20_000)]
    with asking(0.2) as resolver:
        assert {type(one) for one in resolver(many).values()} == {Unavailable}


FULL = """
import os, resource
from allowsync.dns.process import ResolverProcess
from allowsync.model.nameserver import ResolverSettings
from allowsync.model.types import Family, Query
os.setresuid(65529, 65529, 65529)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
with ResolverProcess() as resolver:
    resolver.start()
    (answer,) = resolver.use(ResolverSettings())([Query("a.example", Family.IPV4)]).values()
print(answer.reason)
"""


@pytest.mark.usefixtures("as_root")
def test_without_room_for_a_process_nothing_is_known() -> None:
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=False)
    said = "cannot start the resolver's process: Resource temporarily unavailable\n"
    assert (done.stdout, done.stderr) == (said, "")


# ---- What hostile nameservers do to it.

ALIAS = b"\x01a" * 120 + b"\0"


def bomb(request: DnsRequest) -> list[DnsReply]:
    """Three messages of thousands of aliases with long names, and one byte too many."""
    head = request.wire[:2] + struct.pack("!5H", 0x8180, 1, 0, 0, 0)
    wire = bytearray(head + request.wire[12:])
    pointer = struct.pack("!H", 0xC000 | len(wire))
    wire += ALIAS + struct.pack("!HHIH", 5, 1, 60, 2) + pointer
    for _ in range(4600):
        wire += pointer + struct.pack("!HHIH", 5, 1, 60, 2) + pointer
    wire[6:8] = struct.pack("!H", 4601)
    return [DnsReply(bytes(wire + b"x"))] * (1 if request.transport == "tcp" else 3)


HOSTILE = {
    "over udp": bomb,
    "over tcp": Truncated(bomb),
    "silence": Silent(),
    "a slow drip": Truncated(Drip(0.3, BOTH)),
    "a hang-up": Truncated(HangUp()),
    "garbage": Garbage(b"\xff" * 400),
}


def processor_time() -> float:
    """Seconds that ended processes of the test computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=list(HOSTILE))
def test_the_honest_nameserver_is_heard_beside_a_hostile_one(hostile: object) -> None:
    names = [f"host{n}.example.org" for n in range(40)]
    with NameServer({"*": hostile}) as bad, NameServer(dict.fromkeys(names, BOTH)) as good:
        before = processor_time()
        with asking(120.0, bad, good, timeout=60.0) as resolver:
            answers = resolver([Query(name, family) for name in names for family in BOTH_FAMILIES])
        assert processor_time() - before < 5
    assert list(answers.values()) == FOUND * 40


def test_two_thousand_silent_names_take_no_longer_than_the_deadline() -> None:
    many = [Query(f"host{n}.example.org", Family.IPV4) for n in range(2000)]
    with NameServer({"*": Silent(), ALICE: BOTH}) as server:
        began = time.monotonic()
        with asking(2.0, server) as resolver:
            answers = resolver([*many, QUERIES[0]])
        assert time.monotonic() - began < 20  # without it, twenty windows of as long each
    assert {type(answers[query]) for query in many} == {Unavailable}


def test_silent_names_do_not_keep_the_same_others_from_being_asked_for_good() -> None:
    """Each run has time for a window of the silent ones, and begins with another name."""
    many = [Query(f"host{n}.example.org", Family.IPV4) for n in range(300)]
    asked = [*many[:150], QUERIES[0], *many[150:]]
    with NameServer({"*": Silent(), ALICE: BOTH}) as server:
        for _ in range(60):
            with asking(0.5, server) as resolver:
                if resolver(asked)[QUERIES[0]] == FOUND[0]:
                    return
    pytest.fail("it was not asked in any run")
