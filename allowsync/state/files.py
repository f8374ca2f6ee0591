"""Files of a state: their owner, and whether allowsync made them.

Root touches none of them as root where another user could have replaced them: it acts as that user
meanwhile. The files beside the database are checked before SQLite opens it, as SQLite trusts a
journal of any author, and deletes the file that it names.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from allowsync.state.errors import StateDamaged, StateUnwritable, reason
from allowsync.system.owner import ROOT, acting_as, owner_of
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_CAREFULLY: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # no link, no wait for a pipe
_LONGEST_NAME: Final = 200
_NEVER: Final = 253_402_300_800_000_000  # the year 10000, in microseconds since 1970
_READONLY: Final = 8  # sqlite.org/rescode.html#readonly
_HEADER: Final = 100  # bytes of any database (sqlite.org/fileformat2.html#the_database_header)
COMPANIONS: Final = ("-journal", "-wal", "-shm")
# The end of a journal with a super-journal (sqlite.org/fileformat2.html#the_rollback_journal).
# SQLite writes one where several databases change at once, which is never the case here.
NAMES_ANOTHER: Final = bytes.fromhex("d9d505f920a163d7")


class as_owner:  # noqa: N801 - reads as a statement
    """Act as the user who controls the path of a state.

    Raises:
        StateUnwritable: Several users control it, or root may not act as that one.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self.user = owner(state)
        self._acting = acting_as(self.user)

    def __enter__(self) -> as_owner:
        try:
            self._acting.__enter__()
        except OSError as error:
            raise StateUnwritable(self._state, _advice(self._state, error)) from error
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._acting.__exit__()
        if isinstance(error, StateUnwritable) and self.user != os.geteuid():
            what = f"{error.why} (as user {self.user}, who can change its files)"
            if _denied(error.__cause__) and (whose := two_owners(self._state)):
                raise StateUnwritable(self._state, whose) from error
            raise StateUnwritable(error.path, what) from error


def owner(state: Path) -> int:
    """The user to act as with the files of a state: for all but root, the present user.

    Raises:
        StateUnwritable: Several users control the path.
    """
    user = os.geteuid()
    if user != ROOT:
        return user
    try:
        return owner_of(state)
    except OSError as error:
        raise StateUnwritable(state, error.strerror) from error


def _advice(state: Path, error: OSError) -> str:
    return f"{error.strerror}; give it to root: chown -R root: {state.parent}"


def refusal(state: Path, error: OSError) -> str | None:
    """The operating system's message, or the file's owner: a copy that another user put back."""
    return (two_owners(state) if _denied(error) else "") or reason(error)


def _denied(cause: BaseException | None) -> bool:
    """Whether the operating system or SQLite reported a missing permission."""
    code: int = getattr(cause, "sqlite_errorcode", 0)
    return isinstance(cause, PermissionError) or code & 0xFF == _READONLY


def two_owners(state: Path) -> str:
    """The owners of a state and its folder, and the remedy; empty where they are one user.

    A user can write neither in another one's folder nor in another one's file. Root acts as one of
    them, who cannot either.
    """
    with suppress(OSError):
        file, folder = os.lstat(state).st_uid, state.parent.stat().st_uid
        if file != folder:
            own = os.getuid() == file != ROOT
            user, paths = (
                (file, [state.parent]) if own else (folder, [state, *_locked(state, folder)])
            )
            whose = f"it belongs to user {file}, and its folder to user {folder}"
            return f"{whose}; chown {user} {' '.join(map(str, paths))}"
    return ""


def _locked(state: Path, user: int) -> Iterator[Path]:
    """The lock file beside a state, where it belongs to another user."""
    with suppress(OSError):
        if os.lstat(lock := state.with_name(f"{state.name}.lock")).st_uid != user:
            yield lock


def judge(state: Path) -> os.stat_result:
    """Reject files that allowsync does not make: links, pipes, a journal that names another file.

    Returns:
        The status of the database file.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be read.
        StateUnwritable: The database is no file of allowsync.
        StateDamaged: A file beside it is none.
    """
    found = os.lstat(state)
    if not stat.S_ISREG(found.st_mode):
        link = stat.S_ISLNK(found.st_mode)
        raise StateUnwritable(
            state, "it is a symbolic link" if link else "it is not a regular file"
        )
    for suffix in COMPANIONS:
        _judge_companion(state, found, f"{state}{suffix}")
    return found


def cut_short(state: Path) -> bool:
    """Whether a database is shorter than its header.

    SQLite takes it for a new one. Only a very first run that was killed leaves it so.
    """
    with suppress(OSError):
        return os.lstat(state).st_size < _HEADER
    return False


def _judge_companion(state: Path, database: os.stat_result, companion: str) -> None:
    try:
        found = os.lstat(companion)
    except FileNotFoundError:
        return
    odd = not stat.S_ISREG(found.st_mode) or found.st_nlink > 1
    if odd or (os.getuid() == ROOT and found.st_uid not in (ROOT, database.st_uid)):
        raise StateDamaged(state, f"allowsync did not make {companion}")
    if companion.endswith("-journal") and names_another(companion):
        raise StateDamaged(state, f"{companion} names another file, which stays unchanged")


def names_another(journal: str) -> bool:
    """Whether a journal names a file that SQLite would delete after playing it back."""
    with open(journal, "rb") as file:  # noqa: PTH123 - no Path here
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(NAMES_ANOTHER)))
        return file.read() == NAMES_ANOTHER


def unrecorded_mark(state: Path) -> str:
    """The mark, until the next restart, of a run that could not be recorded in a state.

    The entries of such a run are not remembered. The mark is not beside the state, where nothing
    could be written.
    """
    return _until_restart(state, "unrecorded")


def _until_restart(state: Path, what: str) -> str:
    """The path of a file about a state that disappears with a restart, as firewall rules do."""
    name = os.path.abspath(state).replace("/", "-")  # noqa: PTH100 - `..` must not follow links
    return f"{until_restart()}/{name[-_LONGEST_NAME:]}.{what}"


def until_restart() -> str:
    """The folder of marks that disappear with a restart."""
    by_systemd = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if by_systemd or os.geteuid() == ROOT:
        return by_systemd or "/run/allowsync"
    return f"{os.environ.get('XDG_RUNTIME_DIR') or '/run'}/allowsync"


def last_run_marks(state: Path) -> tuple[str, str]:
    """The marks of the last run that is recorded in a state.

    They hold its start, and the latest instant that the clock had ever shown by then. A state
    without that run is older: a backup was restored, or the state is gone. The mark beside the
    state survives a restart; the other one survives a restored folder. That one is a link, which is
    read and replaced
    atomically: no file of another user is opened for it.
    """
    return f"{os.fspath(state)}.last-run", _until_restart(state, "last-run")


def noted_runs(state: Path) -> set[tuple[int, int]]:
    """The content of the marks, in microseconds since 1970; invalid marks are left out.

    The caller acts as the state's owner.
    """
    beside, until_restart = last_run_marks(state)
    noted = set()
    for reads, mark in ((_beginning, beside), (os.readlink, until_restart)):
        with suppress(OSError, ValueError):
            started, latest = map(int, reads(mark).split())
            if 0 <= started <= latest < _NEVER:
                noted.add((started, latest))
    return noted


def _beginning(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | _CAREFULLY)
    try:
        return os.read(descriptor, _LONGEST_NAME).decode()
    finally:
        os.close(descriptor)


def note_run(state: Path, user: int, started: int, latest: int) -> None:
    """Note a run in both marks, where possible; in the one beside the state as its owner."""
    beside, until_restart = last_run_marks(state)
    link_mark(until_restart, f"{started} {latest}")
    with suppress(OSError), acting_as(user):
        _note_beside(beside, started, latest)


def forget_runs(state: Path, user: int) -> None:
    """Delete both marks."""
    beside, until_restart = last_run_marks(state)
    take_mark(until_restart)
    with suppress(OSError), acting_as(user):
        take_mark(beside)


def _note_beside(mark: str, started: int, latest: int) -> None:
    descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | _CAREFULLY, 0o600)
    try:  # of fixed length, so that no part of the one before is left
        os.pwrite(descriptor, f"{started:020} {latest:020}\n".encode(), 0)
    finally:
        os.close(descriptor)


def link_mark(mark: str, what: str) -> None:
    """Make a mark a link with the given content, atomically, where possible."""
    new = f"{mark}.new"
    with suppress(OSError):
        os.makedirs(os.path.dirname(mark), 0o755, exist_ok=True)  # noqa: PTH103, PTH120
        take_mark(new)
        os.symlink(what, new)  # noqa: PTH211 - no Path here
        os.rename(new, mark)  # noqa: PTH104 - no Path here


def leave_mark(mark: str) -> None:
    """Create a mark, where possible."""
    with suppress(OSError):
        os.makedirs(os.path.dirname(mark), 0o755, exist_ok=True)  # noqa: PTH103, PTH120
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | _CAREFULLY, 0o644))


def take_mark(mark: str) -> None:
    """Delete a mark."""
    with suppress(OSError):
        os.unlink(mark)  # noqa: PTH108 - no Path here


def prepare_folder(folder: Path) -> None:
    """Make the folder of the state, readable by its owner only, if it does not exist.

    Raises:
        StateUnwritable: It cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        what = f"this folder of the state cannot be created: {error.strerror}"
        raise StateUnwritable(folder, what) from error


def create(path: Path) -> None:
    """Make an empty file that only its owner may read; SQLite would follow the umask, and links.

    Raises:
        StateUnwritable: It cannot be made, or is no file of allowsync.
        StateDamaged: A file beside it is none.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | _CAREFULLY, 0o600))
        linked = judge(path).st_nlink > 1 and os.getuid() == ROOT
    except OSError as error:
        is_link = os.path.islink(path)  # noqa: PTH114 - Path's fails where the folder is closed
        why = "it is a symbolic link" if is_link else refusal(path, error)
        raise StateUnwritable(path, why) from error
    if linked:
        raise StateUnwritable(path, "it has another name, too (a hard link): remove one of them")


def set_aside(path: Path, now: datetime) -> Path:
    """Rename an unusable database and the files beside it. Returns the new name.

    Raises:
        StateUnwritable: It could not be renamed.
    """
    aside = path.with_name(f"{path.name}.set-aside-{now:%Y%m%dT%H%M%S%f}")
    try:
        with as_owner(path):
            for suffix in COMPANIONS:
                companion = path.with_name(path.name + suffix)
                if os.path.lexists(companion):
                    companion.rename(aside.with_name(aside.name + suffix))
            path.rename(aside)
    except OSError as error:
        raise StateUnwritable(path, f"could not be set aside: {error.strerror}") from error
    return aside
