"""Backends that are broken, each in a way of its own: sources of modules that define `TYPE`."""

from __future__ import annotations

from typing import Final

# A whole backend that works: what is broken replaces a part of it.
SOURCE: Final = """
import os, signal, subprocess, sys, threading, time
from ipaddress import ip_network
from allowsync.backend import *
from allowsync.backend import Finding, Severity
from allowsync.config.kinds import Text
from allowsync.config.schema import option
from allowsync.model import Entry, Family
from allowsync.model.value import Value

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("not even this")

class Options(Value):
    word: str = option(Text("a word"), help="A word.", default="x")
{options}

class Broken:
    held = frozenset()

    @property
    def capabilities(self):
        return Capabilities()

    def check(self):
        return ()

    def read(self):
        return Current(Broken.held)

    def apply(self, plan):
        Broken.held = frozenset(plan.final)

    def clear(self):
        Broken.held = frozenset()
{methods}

def make(placement, options):
    return Broken()

def usable():
    return ""

def needs(options):
    return Needs(any_user=True)
{module}

TYPE = BackendType("{name}", "Broken", Options, make, usable, needs, api={api})
"""


def source(
    name: str, *, methods: str = "", options: str = "", module: str = "", api: str = "API"
) -> str:
    """The source of a module with a backend of that name."""
    indented = [
        "\n".join(f"    {line}" for line in body.splitlines()) for body in (options, methods)
    ]
    return SOURCE.format(
        name=name, options=indented[0], methods=indented[1], module=module, api=api
    )


def _method(name: str, body: str) -> str:
    return f"def {name}(self, *_):\n    {body}\n"


def _read(body: str) -> dict[str, str]:
    return {"methods": _method("read", body)}


def _capable(given: str) -> dict[str, str]:
    return {"methods": f"@property\ndef capabilities(self):\n    return {given}\n"}


# What replaces a part of the source, and what is said about it.
BROKEN: Final[dict[str, tuple[dict[str, str], str]]] = {
    "a module that cannot be imported": ({"module": "import no_such_module"}, "no_such_module"),
    "a module that exits": ({"module": "sys.exit(0)"}, "SystemExit: 0"),
    "a module that is no Python": ({"module": "def ("}, "SyntaxError"),
    "a module that raises KeyboardInterrupt": (
        {"module": "raise KeyboardInterrupt"},
        "KeyboardInterrupt",
    ),
    "a newer interface": ({"api": "99"}, "install a newer allowsync"),
    "an api that is a text": ({"api": "'2'"}, "api is a str"),
    "options that raise": (
        {"options": "def __post_init__(self):\n    raise KeyError('a secret')"},
        "KeyError: 'a secret'",
    ),
    "options that exit": ({"options": "def __post_init__(self):\n    sys.exit(0)"}, "SystemExit"),
    "options that are none": ({"module": "Options = 5"}, "options is a int, not a type"),
    "places that raise": (
        {"options": "def places(self, allowlist):\n    1 / 0"},
        "ZeroDivisionError",
    ),
    "places that are none": (
        {"options": "def places(self, allowlist):\n    return [7]"},
        "gives 7, not an allowsync.backend.Place",
    ),
    "places that raise later": (
        {
            "options": "def places(self, allowlist):\n"
            "    Broken.asked = getattr(Broken, 'asked', 0) + 1\n"
            "    return () if Broken.asked == 1 else [][0]"
        },
        "IndexError",
    ),
    "make that raises": ({"module": "def make(*_):\n    return [][0]"}, "IndexError"),
    "make that gives nothing": ({"module": "def make(*_):\n    pass"}, "make() gave a NoneType"),
    "make that gives half": ({"methods": "clear = None"}, "without clear"),
    "make that exits": ({"module": "def make(*_):\n    sys.exit(0)"}, "SystemExit"),
    "capabilities that raise": (_capable("1 / 0"), "ZeroDivisionError"),
    "capabilities that are none": (_capable("None"), "capabilities is a NoneType"),
    "capabilities of no family": (_capable("Capabilities(families=())"), "families is empty"),
    "capabilities upside down": (
        _capable("Capabilities(prefixes={one: (32, 8) for one in Family})"),
        "(32, 8), not (shortest, longest)",
    ),
    "capabilities without a width": (
        _capable("Capabilities(prefixes={Family.IPV4: (0, 32)})"),
        "capabilities.prefixes of ipv6",
    ),
    "capabilities that are text": (_capable("Capabilities(max_entries='9')"), "max_entries is '9'"),
    "room that is less than none": (
        _capable("Capabilities(family_entries={Family.IPV4: -1})"),
        "family_entries has -1",
    ),
    "replaced without labels": (_capable("Capabilities(replaced=True)"), "goes with"),
    "read that raises": (_read("raise OSError(5, 'Input/output error')"), "Input/output error"),
    "read that exits with 0": (_read("sys.exit(0)"), "SystemExit: 0"),
    "read that ends the process": (_read("os._exit(0)"), "SystemExit: 0"),
    "read that raises GeneratorExit": (_read("raise GeneratorExit"), "GeneratorExit"),
    "read that raises KeyboardInterrupt": (_read("raise KeyboardInterrupt"), "KeyboardInterrupt"),
    "read that recurses": (_read("return self.read()"), "RecursionError"),
    "read that runs out of memory": (_read("return bytearray(1 << 62)"), "MemoryError"),
    "an error without a text": (_read("raise Mute"), "Mute"),
    "an error of its own class": (_read("raise BackendError(Mute())"), "BackendError"),
    "read that gives nothing": (_read("return None"), "read() is a NoneType, not a Current"),
    "read that gives a list": (_read("return []"), "read() is a list, not a Current"),
    "read that gives a text": (_read("return 'full'"), "read() is a str, not a Current"),
    "entries that are a list": (_read("return Current([])"), "read().entries is a list"),
    "entries that are texts": (
        _read("return Current(frozenset({'203.0.113.7'}))"),
        "'203.0.113.7' is no entry",
    ),
    "entries of texts": (
        _read("return Current(frozenset({Entry('203.0.113.7')}))"),
        "is no entry with a network",
    ),
    "flaws that are a text": (_read("return Current(flaws='gone')"), "read().flaws is a str"),
    "others that are texts": (
        _read("return Current(others=frozenset({'x'}))"),
        "read().others holds",
    ),
    "apply that raises": ({"methods": _method("apply", "{}['x']")}, "KeyError: 'x'"),
    "apply that exits": ({"methods": _method("apply", "sys.exit(0)")}, "SystemExit: 0"),
    "apply that does nothing": ({"methods": _method("apply", "pass")}, "missing: 1 entry"),
    "read that breaks after apply": (
        {
            "methods": "done = False\n"
            + _method("apply", "Broken.done = True")
            + _method("read", "return None if Broken.done else Current()")
        },
        "it could not be read back: read() is a NoneType",
    ),
    "a closed standard output": (_read("os.close(1); os.close(2); return 1"), "read() is a int"),
    "everything around it changed": (
        _read(
            "os.environ.clear(); os.chdir('/'); os.umask(0); "
            "signal.signal(signal.SIGTERM, signal.SIG_IGN); return 1"
        ),
        "read() is a int",
    ),
    "no room for calls": (_read("sys.setrecursionlimit(90); return 1"), "read() is a int"),
    "a fork that comes back": (
        _read("child = os.fork(); child and os.waitpid(child, 0); return child or Current()"),
        "read() is a int",
    ),
    "much to say": (
        _read(
            "print('x' * 99); sys.stderr.write('y'); os.write(1, b'z'); "
            "subprocess.run('echo z; echo z >&2', shell=True); return 1"
        ),
        "read() is a int",
    ),
    "what never ends": (_read("time.sleep(1000)"), "did not finish within 0.2 s"),
    "what never ends and catches all": (
        _read("\n    while True:\n        try:\n            time.sleep(9)\n        except: pass"),
        "did not finish within 0.2 s",
    ),
    "entries that are a generator": (
        _read("return Current(Entry(ip_network('203.0.113.7')) for _ in range(1 << 40))"),
        "read().entries is a generator",
    ),
    "an endless loop": (_read("\n    while True: pass"), "did not finish within 0.2 s"),
    "places without an end": (
        {"options": "def places(self, _):\n    while True:\n        yield Place('x', ('y',))"},
        "places() gave more than 10,000",
    ),
    "places of lists": (
        {"options": "def places(self, allowlist):\n    return [Place('x', ['y'])]"},
        "the name of a Place is a list",
    ),
    "attributes that exit": (
        {"methods": "def __getattribute__(self, name):\n    raise SystemExit(0)"},
        "SystemExit: 0",
    ),
    "several errors at once": (
        _read("raise BaseExceptionGroup('x', [KeyboardInterrupt()])"),
        "BaseExceptionGroup",
    ),
    "a text that cannot be told": (
        _read("return Current(flaws=(type('T', (str,), {'__str__': lambda _: 1 / 0})('told'),))"),
        "told",
    ),
    "closed files": (_read("os.closerange(3, 200)"), "os.closerange() would end or change"),
    "another user": (
        _read("os.setgroups([]); os.setgid(65534); os.setuid(65534)"),
        "os.setgroups() would end or change",
    ),
    "another effective user": (_read("os.seteuid(65534); return 1"), "read() is a int"),
    "another root": (_read("os.chroot('/var')"), "os.chroot() would end or change"),
    "another program": (_read("os.execv('/bin/true', ['true'])"), "os.execv() would end or change"),
    "no room for files": (
        _read("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0)); return 1"),
        "resource.setrlimit() would end or change",
    ),
    "no processor time": (
        _read("import resource; resource.prlimit(0, resource.RLIMIT_CPU, (0, 0)); return 1"),
        "resource.prlimit() would end or change",
    ),
    "no processor time, by the C library": (
        _read("import ctypes; ctypes.CDLL(None).setrlimit(0, b'\\0' * 16); return 1"),
        "setrlimit() would end or change",
    ),
    "another network": (
        _read("import ctypes; ctypes.CDLL(None).unshare(0x40000000); return 1"),
        "unshare() would end or change",
    ),
    "another network, by its file": (
        _read(
            "import ctypes; fd = os.open('/proc/self/ns/net', 0); "
            "ctypes.CDLL('libc.so.6')['setns'](fd, 0); return 1"
        ),
        "setns() would end or change",
    ),
    "another network, by the number of a system call": (
        _read("import ctypes; ctypes.CDLL(None).syscall(272, 0x40000000); return 1"),
        "syscall() would end or change",
    ),
    "limits of a child": (
        _read(
            "import resource; cut = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9)); "
            "subprocess.run(['true'], preexec_fn=cut, check=True); return 1"
        ),
        "read() is a int",
    ),
    "an abort": (_read("os.abort()"), "os.abort() would end or change"),
    "a signal to all": (
        _read("os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)"),
        "os.kill() would end or change",
    ),
    "a signal to the group": (
        _read("os.killpg(0, signal.SIGKILL)"),
        "os.killpg() would end or change",
    ),
    "a signal to itself": (
        _read("signal.raise_signal(signal.SIGTERM)"),
        "signal.raise_signal() would end or change",
    ),
    "a signal to its own thread": (
        _read("signal.pthread_kill(threading.get_ident(), signal.SIGTERM)"),
        "signal.pthread_kill() would end or change",
    ),
    "signals that are blocked": (
        _read("signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM}); time.sleep(1000)"),
        "signal.pthread_sigmask() would end or change",
    ),
    "no functions of the operating system": (
        _read("os.open = os.replace = os.fsync = os.stat = None; return 1"),
        "read() is a int",
    ),
    "no modules": (_read("sys.modules.clear(); return 1"), "read() is a int"),
    "nowhere to import from": (
        _read("sys.path.clear(); sys.path_hooks.clear(); sys.meta_path.clear(); return 1"),
        "read() is a int",
    ),
    "no functions": (
        _read("import builtins; builtins.open = builtins.__import__ = None; return 1"),
        "read() is a int",
    ),
    "a profile that raises": (_read("sys.setprofile(lambda *_: 1 / 0); return 1"), "ZeroDivision"),
    "a patience without an end": (
        {"methods": "patience = float('inf')\n" + _method("read", "return 1")},
        "read() is a int",
    ),
}  # fmt: skip
