"""The contract between the core and the code that drives one kind of firewall.

A backend decides nothing. It reports its own entries in its target and applies a plan. It is found
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

# The version of this interface. It grows when backends for the older version no longer work
# (docs/writing-a-backend.md).
API: Final = 2

# The prefix of the comment, label or description of everything allowsync owns, in any firewall.
MARK: Final = "allowsync:"


def mark(allowlist: str, *hosts: str, longest: int | None = None) -> str:
    """The comment of an entry: `allowsync:web`, or with its hosts `allowsync:web:alice:bob`.

    Names of allowlists and hosts have no colon, so no two allowlists share a mark. Hosts that do
    not fit into `longest` characters are counted at the end, as in `allowsync:web:alice:-2`; no
    host's name begins with a dash. If even that does not fit, the comment has no hosts.
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
    """The hosts in the mark of an allowlist; empty unless it names all of them."""
    if not is_marked(comment, allowlist):
        return ()
    hosts = tuple(filter(None, comment.removeprefix(mark(allowlist)).split(":")))
    return () if any(host.startswith("-") for host in hosts) else hosts


class BackendError(Exception):
    """A target could not be read or changed. The text states known facts only.

    `again`: whether a retry with a fresh read may succeed at once, since the target changed between
    our read and our write.
    """

    def __init__(self, what: str, *, again: bool = False) -> None:
        super().__init__(what)
        self.again = again


class OutcomeUnknown(BackendError):
    """A change was sent but could not be confirmed; the target may hold old or new entries."""


class Needs(Value):
    """The requirements of a target for its service, which is confined as tightly as possible.

    The service has CAP_NET_ADMIN, the network, a folder for its state, and reads the files its
    user may read; it writes nowhere else and starts programs only under the same restrictions.

    Attributes:
        any_user: Whether any user with those capabilities suffices; else it takes root.
        capabilities: Further capabilities (capabilities(7)): `CAP_NET_RAW`.
        reads: Absolute paths of the files it reads, except secrets.
        writes: Absolute paths of the files and folders it writes to.
        locks: Files among the latter to create, empty, before each run: a missing file cannot be
            opened for writing alone.
        commands: Whether it runs commands that the configuration names.
        all_of_proc: Whether it reads parts of /proc that are not about processes.
        after: Units that must have started before it is restored at boot.
        before: Units that load references to it, so it must exist before them at boot. It is
            restored twice then, before these and after those.
        lasting: Whether its entries survive a restart, so that nothing has to be restored.
        online: Whether it is reached over the network. An offline run skips it: at boot there is no
            network yet, and waiting for one would delay the gate of this machine.
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
    """An object in a firewall that carries allowsync's mark.

    Attributes:
        allowlist: The allowlist in its mark.
        place: Its place.
        backend: The backend that reads and clears it; never used to apply a plan.
        installation: The installation in its mark (`Placement.installation`); empty without one.
        drops: Whether it drops every packet from other sources now.
        opens: Whether it accepts its entries by rules of its own, for good.
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
    """The `guards` of targets that enforce nothing in this machine's packet filter."""


class BackendType(Value, Generic[OptionsT]):
    """The value of an entry point of the group `allowsync.backends`.

    Attributes:
        name: As written in a configuration's `targets`.
        summary: One line for `allowsync backends` and the reference.
        options: A frozen dataclass whose fields are made by `allowsync.config.schema`. A method
            `places(allowlist: str) -> tuple[Place, ...]` names the places that hold a target's
            entries, so that no two targets write to one place. A method `front() -> Front`
            declares that it enforces the allowlist at a network in front of machines.
        make: Builds the backend of one target. Must not touch the firewall.
        usable: Returns why this kind of target cannot be used on this machine, or an empty string.
        needs: Returns the requirements of a target with these options for its service. May read
            the machine, not the firewall.
        api: The version of this interface that the backend is written for (`API`).
        marked: Finds the objects with allowsync's mark in this firewall, of any allowlist, without
            a state; given the places to skip. None if marks cannot be found: then leftovers of a
            configuration are known by the state alone.
        guards: Returns the ports that a target with these options guards in this machine's packet
            filter, so that `check` and `explain` can test them with packets; None for a target
            that enforces nothing there itself. Reads nothing.
        at_boot: Finds allowsync's objects and references to them in files that other programs
            load at boot: old gates and entries, and rules that would fail to load; given the
            places of targets. `check` calls it once, whether such a target is configured or not.
        denies: The options of a target of a denylist, a class like `options`; None for a kind
            that cannot deny. `Placement.effect` tells `make` which of both it gets.
    """

    name: str
    summary: str
    options: type[OptionsT]
    make: Callable[[Placement, OptionsT], Backend]
    usable: Callable[[], str] = field(default=lambda: "")
    needs: Callable[[OptionsT], Needs] = field(default=_no_needs)
    # Backends without this field are older than it.
    api: int = 1
    marked: Callable[[Collection[Place]], Sequence[Marked]] | None = None
    guards: Callable[[OptionsT], Guard | None] = field(default=no_guard)
    at_boot: Callable[[Collection[Place]], Sequence[Finding]] | None = None
    denies: type[Any] | None = None


AnyBackendType = BackendType[Any]
