"""The entry point of the program."""

import atexit
import errno
import gc
import os
import sys

from allowsync import system

_code = 1
_AT_EXIT = 3.0  # seconds for the exit functions that a backend has registered


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    # A short-lived process with many small values and hardly a cycle: collecting them took a third
    # of the time of reading a large set, and a tenth of an idle run. A run over 10,000 hosts makes
    # 700,000 values that live to its end.
    gc.set_threshold(1_000_000, 20, 20)
    if not os.environ.get("ALLOWSYNC_TRACEBACK"):
        sys.unraisablehook = _drop  # such as what a `__del__` of a third party's backend raises
    atexit.register(_end)  # exit functions are called in reverse order: this one last
    try:
        _open_streams()
        system.is_program = True
        from allowsync.cli import run_command_line

        code = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:
        if _at_work():
            worker = sys.modules["allowsync.system.worker"]
            worker.give_up(worker.INTERRUPTED)
        code = _ended("interrupted", 130)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - not even what says so could be carried out
        what = f"could not go on: {_told(error)}"
        if _at_work():
            sys.modules["allowsync.system.worker"].give_up(f"is why the command {what}")
        code = _ended(what, 1)
    _leave(code)


def _drop(_: object) -> None:
    """Say nothing of an exception that can end nothing: no exception is shown as a traceback."""


def _at_work() -> bool:
    """Whether another process waits for this one, and may restart the command."""
    worker = sys.modules.get("allowsync.system.worker")
    return worker is not None and worker.at_work()


def _open_streams() -> None:
    """Fill closed standard streams: a file opened later must not become the standard output.

    Writing to a standard output that was closed still fails, as it should.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        for descriptor, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
            try:
                os.fstat(descriptor)
            except OSError:
                os.open(os.devnull, flags)  # takes the lowest number that is free
        sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
        sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # in a locale that lacks a character


def _told(error: BaseException) -> str:
    """An error in words, with advice for too many open files, which may prevent further imports."""
    if isinstance(error, OSError) and error.strerror:
        advice = "; see 'ulimit -n'" if error.errno in (errno.EMFILE, errno.ENFILE) else ""
        return f"{error.strerror}{advice}"
    return type(error).__name__


def _ended(why: str, code: int) -> int:
    try:
        os.write(2, f"allowsync: {why}\n".encode())
    except OSError:
        return code  # standard error is closed, too
    return code


def _leave(code: int) -> None:
    """End the process, in spite of threads and exit functions that a backend left behind."""
    global _code
    _code = code
    if worker := sys.modules.get("allowsync.system.worker"):
        worker.done(code)
    atexit.register(_close_output)  # exit functions are called in reverse order: this one first
    threading = sys.modules.get("threading")
    if threading is None or all(
        one.daemon or one is threading.main_thread() for one in threading.enumerate()
    ):
        if "allowsync.backend.containment" in sys.modules:
            import signal

            signal.signal(signal.SIGALRM, lambda *_: _end())
            signal.setitimer(signal.ITIMER_REAL, _AT_EXIT, _AT_EXIT)
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    # Containment refuses os._exit to a backend's threads; the program calls the original.
    getattr(os._exit, "__wrapped__", os._exit)(code)


def _end() -> None:
    """End the process without finalizing the interpreter, a fifth of the time of an idle run."""
    try:
        sys.stderr.flush()
    finally:
        getattr(os._exit, "__wrapped__", os._exit)(_code)


def _close_output() -> None:
    """Close the output: programs read it as one document or line, so nothing may follow."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    main()
