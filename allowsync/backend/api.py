"""The contract between the core and the code that drives one kind of firewall.

A backend decides nothing. It reports what it owns in its target and carries out a plan. It is found
through the entry-point group `allowsync.backends`, whose values are `BackendType` objects.
"""

from __future__ import annotations

from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from allowsync.backend.protocols import Backend
    from allowsync.model.target import (
        Finding,
        Guard,
        Place,
        Placement,
    )

OptionsT = TypeVar("OptionsT")

# The version of this interface. It grows when a backend that keeps to the older one would not do
# any more (docs/writing-a-backend.md).
API: Final = 2

# How the comment, label or description of everything that allowsync owns begins, in any firewall.
MARK: Final = "allowsync:"


def mark(allowlist: str, *hosts: str, longest: int | None = None) -> str:
    """The comment of an entry: `allowsync:web`, or with its hosts `allowsync:web:alice:bob`.

    Names of allowlists and hosts have no colon, so no two allowlists share a mark. Hosts that do
    not fit into `longest` characters are counted at the end, as in `allowsync:web:alice:-2`; no
    host's name begins with a dash. Where not even that fits, the allowlist stands alone.
    """
    for fit in range(len(hosts), -1, -1):
        left_out = (f"-{len(hosts) - fit}",) if fit < len(hosts) else ()
        comment = MARK + ":".join((allowlist, *hosts[:fit], *left_out))
        if longest is None or len(comment) <= longest:
            return comment
    return MARK + allowlist


def is_marked(comment: str, allowlist: str) -> bool:
    """Whether a comment is the mark of this allowlist, with hosts or without."""
    return comment == mark(allowlist) or comment.startswith(mark(allowlist) + ":")


def hosts_of(comment: str, allowlist: str) -> tuple[str, ...]:
    """The hosts that the mark of an allowlist names; none unless it names all of them."""
    if not is_marked(comment, allowlist):
        return ()
    hosts = tuple(filter(None, comment.removeprefix(mark(allowlist)).split(":")))
    return () if any(host.startswith("-") for host in hosts) else hosts


class BackendError(Exception):
    """A target could not be read or changed. The text says what is known and nothing more.

    `again` says that a fresh look at the target may succeed at once: something changed between our
    reading and our writing.
    """

    def __init__(self, what: str, *, again: bool = False) -> None:
        super().__init__(what)
        self.again = again


class OutcomeUnknown(BackendError):
    """A change was sent but could not be confirmed; the target may hold old or new entries."""


class Needs(Value):
    """What a target needs of a service that is shut in as tightly as can be.

    Such a service has CAP_NET_ADMIN, the network, a folder for its state, and reads what its user
    may read; it writes nowhere else and starts programs only within the same walls.

    Attributes:
        any_user: Whether those capabilities are enough for any user; else it takes root.
        capabilities: Further capabilities (capabilities(7)): `CAP_NET_RAW`.
        reads: Absolute paths of the files it reads, but for secrets.
        writes: Absolute paths of the files and folders it writes to.
        locks: Files among the latter that are made, empty, before each run: a file that is not
            there cannot be opened for writing alone.
        commands: Whether it runs commands that the configuration names.
        all_of_proc: Whether it reads more of /proc than what is about processes.
        after: Units that must have started before it is restored at boot.
        before: Units before which it must be there at boot, since they load what names it. It is
            restored twice then, before these and after those.
        lasting: Whether what it holds outlives a restart, so that nothing is to be restored.
        online: Whether it is somewhere else. A run that is offline leaves it alone: at boot there
            is no network yet, and waiting for one would keep the gate of this machine waiting.
    """

    any_user: bool = False
    capabilities: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    commands: bool = False
    all_of_proc: bool = False
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    lasting: bool = False
    online: bool = False


class Marked(Value):
    """Something in a firewall that carries allowsync's mark.

    Attributes:
        allowlist: The allowlist in its mark.
        place: What it is.
        backend: What reads and clears it. Nothing is ever applied by it.
        installation: The installation in its mark (`Placement.installation`); empty where none is.
        drops: Whether it drops every packet now that comes from elsewhere.
        opens: Whether it lets in what it holds by rules of its own, and would do so for good.
    """

    allowlist: str
    place: Place
    backend: Backend
    installation: str = ""
    drops: bool = False
    opens: bool = False


def _no_needs(_: object) -> Needs:
    return Needs()


def no_guard(_: object) -> None:
    """What a target guards that enforces nothing in this machine's packet filter."""


class BackendType(Value, Generic[OptionsT]):
    """What an entry point of the group `allowsync.backends` names.

    Attributes:
        name: As written in a configuration's `targets`.
        summary: One line for `allowsync backends` and the reference.
        options: A frozen dataclass whose fields are made by `allowsync.config.schema`. A
            method `places(allowlist: str) -> tuple[Place, ...]` names what a target puts its
            entries into, so that no two targets write to one place. A method `front() -> Front`
            says that it enforces the allowlist at a network in front of machines.
        make: Builds the backend of one target. Must not touch the firewall.
        usable: Why this kind of target cannot be used on this machine, or an empty string.
        needs: What a target with these options needs of the service it runs in. May look at the
            machine, not at the firewall.
        api: The version of this interface that the backend is written for (`API`).
        marked: Finds what carries allowsync's mark in this firewall, of any allowlist, without a
            state; given the places that need not be looked at. None where marks cannot be found:
            then what a configuration leaves behind is known by the state alone.
        guards: What a target with these options guards in this machine's packet filter, so that
            `check` and `explain` can try it with packets; None where it enforces nothing there
            by itself. Looks at nothing.
        at_boot: What programs other than allowsync load at boot, by their files, that is ours or
            names what is ours: old gates and entries, and rules that could not be loaded; given
            what targets hold. `check` asks once, whether such a target is configured or not.
        denies: The options of a target of a denylist, a class as `options` is; None where this
            kind cannot deny. `make` is told by `Placement.effect` which of both it gets.
    """

    name: str
    summary: str
    options: type[OptionsT]
    make: Callable[[Placement, OptionsT], Backend]
    usable: Callable[[], str] = field(default=lambda: "")
    needs: Callable[[OptionsT], Needs] = field(default=_no_needs)
    # Backends that do not say are older than the field.
    api: int = 1
    marked: Callable[[Collection[Place]], Sequence[Marked]] | None = None
    guards: Callable[[OptionsT], Guard | None] = field(default=no_guard)
    at_boot: Callable[[Collection[Place]], Sequence[Finding]] | None = None
    denies: type[Any] | None = None


AnyBackendType = BackendType[Any]
