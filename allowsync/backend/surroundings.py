"""The environment of a backend's call, and its restoration.

Much in Python belongs to the whole process: streams, signals, environment variables, modules. The
changes of a call are undone; irreversible ones (another user for good, another program in our
place, the end of the process) are refused.
"""

from __future__ import annotations

import builtins
import errno
import os
import signal
import sys
from _operator import is_
from _thread import get_ident

from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType
    from typing import TextIO

_STREAMS: Final = (0, 1, 2)
_NAMES: Final = ("stdout", "stderr", "__stdout__", "__stderr__")
_HANDLERS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGUSR1)
_IMPORTING: Final[tuple[list[Any], ...]] = (sys.path, sys.meta_path, sys.path_hooks)
# Functions of `os` whose effect on a process cannot be undone. Its children may call them.
_FOR_GOOD: Final = (
    *("_exit", "abort", "chroot", "closerange", "execv", "execve", "initgroups", "kill", "killpg"),
    *("setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid", "setsid", "setuid"),
)
_NAMESPACES: Final = ("setns", "unshare")  # of `os` since Python 3.12
_SIGNALS: Final = ("pthread_kill", "pthread_sigmask", "raise_signal")  # of `signal`
# The same in C, and functions without a counterpart in Python's modules.
_SYMBOLS: Final = frozenset((
    *_FOR_GOOD, *_NAMESPACES, "_Exit", "clone", "exit", "prctl", "prlimit", "prlimit64", "raise",
    "setrlimit", "setrlimit64", "syscall", "vfork",
))  # fmt: skip

end_process = os._exit


class Surroundings:
    """The environment of a call, and its restoration.

    Its output and its children's goes to /dev/null: our output is a document that programs read.
    Its standard input is empty.

    Args:
        others: Whether it is third-party code, which may have replaced functions of any module.
    """

    def __init__(self, *, others: bool = False) -> None:
        self._definitions = _definitions() if others else None

    def __enter__(self) -> None:
        self._note()
        self._environment = dict(os.environb)
        self._folder = _open(".", os.O_PATH | os.O_DIRECTORY)
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._user = (os.geteuid(), os.getegid())
        self._depth, self._hooks = sys.getrecursionlimit(), (sys.gettrace(), sys.getprofile())
        self._handlers = {one: signal.getsignal(one) for one in _HANDLERS}
        self._objects = {name: getattr(sys, name) for name in _NAMES}
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        sink, nothing = _sink(), _nothing()
        self._kept = {one: _copy(one) for one in _STREAMS}
        _private.update(self._kept.values())
        for one in _STREAMS:
            os.dup2(nothing, one)
        if nothing not in _STREAMS:
            os.close(nothing)
        for name in _NAMES:
            setattr(sys, name, sink)
        self._threads = _threads()
        self._refuse()
        _watch(os.getpid())

    def _note(self) -> None:
        """Note what third-party code may replace in modules; our own backends replace nothing."""
        if self._definitions is not None:
            self._definitions.note()
            self._builtins, self._os, self._modules = dict(_BUILTINS), dict(_OS), dict(sys.modules)
            self._importing = [list(one) for one in _IMPORTING]

    def _put_back(self) -> None:
        if self._definitions is not None:
            _BUILTINS.update(self._builtins)  # first: the code below needs them
            _OS.update(self._os)
            self._definitions.put_back()
            _restore_importing(self._modules, self._importing)

    def _refuse(self) -> None:
        """Refuse irreversible calls."""
        named = (*_FOR_GOOD, *(one for one in _NAMESPACES if hasattr(os, one)))
        places = [(os, one) for one in named] + [(signal, one) for one in _SIGNALS]
        self._functions = {(module, name): getattr(module, name) for module, name in places}
        self._refusals = {
            (module, name): _refused(f"{module.__name__}.{name}", _real(function), os.getpid())
            for (module, name), function in self._functions.items()
        }
        for (module, name), refusal in self._refusals.items():
            setattr(module, name, refusal)

    def __exit__(self, *_: object) -> None:
        self._put_back()
        if (sys.gettrace(), sys.getprofile()) != self._hooks:
            sys.settrace(self._hooks[0])
            sys.setprofile(self._hooks[1])
        sys.setrecursionlimit(self._depth)
        # A remaining thread may call the refused functions at any time.
        left = _threads() > self._threads
        for (module, name), function in (self._refusals if left else self._functions).items():
            setattr(module, name, function)
        if not left:
            _watched.clear()
        for name, stream in self._objects.items():
            setattr(sys, name, _OfThisThread(stream) if left and stream is not None else stream)
        for one, copy in self._kept.items():
            _private.discard(copy)
            _put_back(one, copy)
        _restore_environment(self._environment)
        os.umask(self._umask)
        _real(signal.pthread_sigmask)(signal.SIG_SETMASK, self._mask)
        self._restore_handlers()
        self._restore_user()
        if self._folder >= 0:
            _quietly(os.fchdir, self._folder)
            _quietly(os.close, self._folder)

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler or signal.SIG_DFL)

    def _restore_user(self) -> None:
        if (os.geteuid(), os.getegid()) != self._user:
            _quietly(os.seteuid, self._user[0])
            _quietly(os.setegid, self._user[1])


def _definitions() -> ModuleType:
    from allowsync.backend import definitions

    return definitions


class _OfThisThread:
    """A stream for this thread; output of threads that a backend left is dropped."""

    def __init__(self, stream: object) -> None:
        self._stream, self._thread = stream, get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream if get_ident() == self._thread else _sink(), name)


_BUILTINS: Final = vars(builtins)
_OS: Final = vars(os)
_sinks: list[TextIO] = []


def _refused(name: str, function: Callable[..., Any], process: int) -> Callable[..., Any]:
    """A function that works in the children of a backend, but not in our process."""

    def refuse(*arguments: Any) -> Any:
        if os.getpid() != process:
            return function(*arguments)
        if name in ("os.kill", "os.killpg"):
            if abs(arguments[0]) not in (0, 1, process, os.getpgrp()):
                return function(*arguments)
        elif name == "signal.pthread_sigmask":
            how, signals = arguments[0], set(arguments[1])
            if how == signal.SIG_UNBLOCK or signal.SIGALRM not in signals:
                return function(how, signals)
        if name == "os._exit":
            raise SystemExit(*arguments)
        raise RuntimeError(f"{name}() would end or change all of allowsync")

    refuse.__wrapped__ = function  # type: ignore[attr-defined]
    return refuse


def _real(function: Any) -> Any:
    """The original function of a refusal that a remaining thread kept in place."""
    return getattr(function, "__wrapped__", function)


# The processes whose limits and namespaces are watched: ours, during a backend's call.
_watched: Final[set[int]] = set()
_hooked: Final[list[bool]] = []
_private: Final[set[int]] = set()  # the copies of our streams, during a backend's call


def _watch(process: int) -> None:
    """Refuse limits of the process, and irreversible functions of C (PEP 578)."""
    _watched.add(process)
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_judge)
        os.register_at_fork(after_in_child=_let_go)


def _let_go() -> None:
    """Close our output in a child: the reader waits for its end, and the child may outlive us."""
    for one in _private:
        _quietly(os.close, one)


def _judge(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or not event.startswith(("resource.", "ctypes.dlsym")):
        return
    if os.getpid() not in _watched:
        return
    match event, arguments:
        case "resource.setrlimit", _:
            name = "resource.setrlimit"
        case "resource.prlimit", (process, _, limits) if limits and process in (0, os.getpid()):
            name = "resource.prlimit"
        case (("ctypes.dlsym" | "ctypes.dlsym/handle"), (_, str(symbol))) if symbol in _SYMBOLS:
            name = symbol
        case _:
            return
    raise RuntimeError(f"{name}() would end or change all of allowsync")


def _threads() -> int:
    """The number of threads."""
    threading = sys.modules.get("threading")
    return 1 if threading is None else threading.active_count()


def _restore_importing(modules: Mapping[str, Any], importing: list[list[Any]]) -> None:
    """Restore import state that was removed or replaced; additions stay."""
    if not all(map(is_, map(sys.modules.get, modules), modules.values())):
        sys.modules.update(modules)
    for now, before in zip(_IMPORTING, importing, strict=True):
        if any(one not in now for one in before):
            now[:] = before


def _nothing() -> int:
    """A descriptor that reads empty and discards output; in memory without /dev/null."""
    try:
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return os.memfd_create("nothing")


def _sink() -> TextIO:
    """A stream that discards all output. It stays open: a thread may go on printing."""
    if not _sinks or _sinks[0].closed:
        _sinks[:] = [open(_nothing(), "w", encoding="utf-8", errors="replace")]  # noqa: SIM115
    return _sinks[0]


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        return -1


def _copy(descriptor: int) -> int:
    """A copy of a stream; -1 if it is closed."""
    try:
        return os.dup(descriptor)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise  # too many open files: nothing has been changed yet
        return -1


def _put_back(descriptor: int, copy: int) -> None:
    if copy < 0:
        _quietly(os.close, descriptor)
        return
    _quietly(os.dup2, copy, descriptor)
    _quietly(os.close, copy)


def _quietly(step: Callable[..., object], *arguments: object) -> None:
    """Do a step that a backend may have made impossible; restoration continues anyway."""
    try:
        step(*arguments)
    except OSError:
        return


def _restore_environment(before: Mapping[bytes, bytes]) -> None:
    if dict(os.environb) != before:
        os.environb.clear()
        os.environb.update(before)
