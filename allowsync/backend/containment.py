"""The only entry into a backend's code: it contains errors, output, changes and delays.

A backend runs in our process, with our rights; containment is no protection against malice, but
against defects: a call either returns its value, checked, or raises a `BackendError` that names the
backend, the event, the file and the line. Python cannot contain a crash of the interpreter or C
code that never returns: that is up to `allowsync.system.worker`.

A call has a time limit. When it expires, an exception is raised in the call; the programs it runs
through `allowsync.system.process` are killed, each with its process group. A change has a longer
limit than a read, since it may be interrupted halfway: then the target is as after a crash, as
before or with more, and its outcome is unknown.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.backend.surroundings import Surroundings, end_process
from allowsync.text import abridge, quote
from allowsync.typed import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType, ModuleType

    T = TypeVar("T")
    R = TypeVar("R")
    _Kinds = type | tuple[type, ...]

# In seconds. Reading or writing 100,000 entries takes one, and each program has its own limit.
LOOKING: Final = 60.0
CHANGING: Final = 120.0
LONGEST: Final = 300.0  # for a backend that asks for it (`patience`)
# Seconds that a call may take to clean up after its limit, before the next exception.
GRACE: Final = 5.0

watch: ModuleType | None = None  # `allowsync.system.worker`, in a worker process
others: Final[set[str]] = set()  # the backends of other distributions

_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120
_PYTHON: Final = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120


class UnfitValue(Exception):
    """The value of a backend is not as its contract requires."""


class Interrupted(KeyboardInterrupt):
    """A real SIGINT, in contrast to a KeyboardInterrupt that a backend raises."""


class _Late(BaseException):
    """The time limit has expired."""


def contained(
    backend: str,
    step: Callable[[], T],
    check: Callable[[T], R],
    *,
    limit: float | None = None,
    at: object = None,
) -> R:
    """Call a backend's code.

    Args:
        backend: The backend's name.
        step: Calls its code.
        check: Returns the checked result of the step, or raises `UnfitValue`.
        limit: The time limit in seconds; `LOOKING` unless given.
        at: The function to name for an unfit value.

    Raises:
        BackendError: The backend raised it, or failed in any other way.
        Interrupted: The user interrupted the program.
    """
    process = os.getpid()
    clock = _Limit(LOOKING if limit is None else limit)
    found = None if watch is None else watch.calls(backend, _beginning(at), clock.seconds)
    try:
        with Surroundings(others=backend in others), clock:
            try:
                value = check(step())
            except BaseException as error:
                if clock.fired > 1:
                    sys.settrace(clock.trace)  # before any call of our own
                raise _failure(error, backend, at) from error
            clock.judge()
            return value
    except (BackendError, Interrupted):
        raise
    except _Late as error:
        what = f"did not finish within {clock.seconds:g} s"
        raise OutcomeUnknown(f"{what} ({_named(backend, _place(error))})") from error
    except BaseException as error:
        raise OutcomeUnknown(f"unexpected {type(error).__name__} (backend {backend})") from error
    finally:
        clock.stop()
        # A child that a backend forked, and that returned to our code, must end here.
        if os.getpid() != process:
            end_process(1)
        if watch is not None and found is not None:
            watch.returned(found)


def demand(value: object, kind: _Kinds, name: str) -> None:
    """Refuse a value of another type. Raises UnfitValue."""
    if not isinstance(value, kind):
        raise UnfitValue(f"{name} is a {type(value).__name__}, not a {_said(kind)}")


def demand_all(value: object, kind: _Kinds, each: _Kinds, name: str) -> None:
    """Refuse a collection of another type, or with elements of another. Raises UnfitValue."""
    demand(value, kind, name)
    for one in cast("Iterable[object]", value):
        if not isinstance(one, each):
            raise UnfitValue(f"{name} holds {quote(repr(one))}, not a {_said(each)}")


def demand_each(value: Any, keys: _Kinds, values: _Kinds, name: str) -> None:
    """Refuse a value that is no mapping of these types. Raises UnfitValue."""
    demand(value, dict, name)
    demand_all(tuple(value), tuple, keys, name)
    demand_all(tuple(value.values()), tuple, values, name)


def _said(kind: _Kinds) -> str:
    return kind.__name__ if isinstance(kind, type) else " or ".join(one.__name__ for one in kind)


def _failure(error: BaseException, backend: str, at: object) -> BaseException:
    """The exception to raise for a backend's error: never of the backend's class or text object."""
    if isinstance(error, (_Late, Interrupted)):
        return error
    text = _text(error)
    if isinstance(error, BackendError) and text:
        if isinstance(error, OutcomeUnknown):
            return OutcomeUnknown(text)
        return BackendError(text, again=getattr(error, "again", False) is True)
    if isinstance(error, UnfitValue):
        return BackendError(f"{text} ({_named(backend, _beginning(at))})")
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return OutcomeUnknown(f"unexpected {what} ({_named(backend, _place(error))})")


def _text(error: BaseException) -> str:
    try:
        return abridge(str(error))
    except (_Late, Interrupted):
        raise
    except BaseException:  # noqa: BLE001 - `__str__` of an error is a backend's code, too
        return ""


def _named(backend: str, place: str) -> str:
    return f"backend {backend}, {place}" if place else f"backend {backend}"


def _place(error: BaseException) -> str:
    """The file and line of an error: the last that is neither ours nor Python's own."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    own = last = ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        last = f"{file}:{trace.tb_lineno}"
        if not _is_known(file):
            own = last
        trace = trace.tb_next
    return own or last


def _is_known(file: str) -> bool:
    python = file.startswith(_PYTHON) and "-packages" not in file
    return python or file.startswith((_OURS, "<"))


def _beginning(function: object) -> str:
    """The file and line where a function begins; empty if unknown."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


class _Limit:
    """The time limit of a call, and SIGINT in contrast to exceptions of a backend."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.fired = 0
        self.trace = sys.gettrace()
        self._armed = self._interrupted = False

    def __enter__(self) -> None:
        try:
            self._alarm = signal.signal(signal.SIGALRM, self._over)
        except ValueError:  # not the main thread, where no signal arrives
            return
        self._interrupt = signal.getsignal(signal.SIGINT)
        if self._interrupt is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._on_interrupt)
        self._began = time.monotonic()
        self._armed = True
        self._before = signal.setitimer(signal.ITIMER_REAL, self.seconds, GRACE)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Restore the former timer and handlers. Repeatable after a signal in between."""
        if not self._armed:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._armed = False
        signal.signal(signal.SIGALRM, self._alarm or signal.SIG_DFL)
        signal.signal(signal.SIGINT, self._interrupt or signal.SIG_DFL)
        left, interval = self._before
        if left:  # the former timer, such as that of a test's own limit, continues
            spent = time.monotonic() - self._began
            signal.setitimer(signal.ITIMER_REAL, max(left - spent, 0.001), interval)

    def judge(self) -> None:
        """Raise an exception that a call swallowed: the time limit's, or the interrupt."""
        if self._interrupted:
            raise Interrupted
        if self.fired:
            raise _Late

    def _on_interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self._interrupted = True
        raise Interrupted

    def _over(self, _signal: int, frame: FrameType | None) -> None:
        self.fired += 1
        if self.fired > 1:
            _insist(frame)
        raise _Late


def _insist(frame: FrameType | None) -> None:
    """Raise in code that catches the exception, too, such as `while True: try … except:`."""

    def again(_frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            raise _Late
        return again

    while frame is not None and frame.f_code is not contained.__code__:
        frame.f_trace = again
        frame = frame.f_back
    sys.settrace(again)
