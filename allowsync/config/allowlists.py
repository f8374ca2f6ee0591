"""The section `allowlists`: sets of hosts, and the targets that enforce them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.config.errors import known_names, suggestion
from allowsync.config.hosts import LABEL
from allowsync.config.kinds import INVALID, Boolean, Invalid, Kind, ListOf, Name, Reading
from allowsync.config.schema.context import below
from allowsync.config.schema.nodes import Mapping, Node, Scalar, got
from allowsync.config.schema.object import Object, Option
from allowsync.config.settings import Allowlist
from allowsync.config.targets import PlacesInUse, Targets
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

NAME: Final = Name(
    "[a-z][a-z0-9_]{0,17}",
    "a name of 1 to 18 of a-z, 0-9 and `_` that begins with a letter",
)
_HOSTS_HELP: Final = "The hosts on it. Default: every host."
_TARGETS_HELP: Final = (
    "The targets that enforce it: backends with their options. A bare name suffices for a "
    "backend without required options; two targets with the same backend need a `name`."
)


_ROLES: Final = {
    "publish": "Publish the decisions about it to the fleet.",
    "follow": "Enforce the fleet's decisions about the list of this name; without `hosts`.",
    "retired": "Publish that it is retired: machines that follow it then admit no host.",
}


_EXPECTED_TARGETS: Final = f"expected {Targets('', PlacesInUse()).expected}"


def _unfit(written: dict[str, Any]) -> str:
    """The problem of an allowlist as a whole; empty if it is valid."""
    publish, follow, retired = (written.get(role, False) for role in _ROLES)
    if follow and (publish or "hosts" in written):
        return "follow goes without publish and without hosts: both come from the fleet"
    if retired and not publish:
        return "retired is for a list with publish"
    return "" if publish or "targets" in written else f"'targets' is missing: {_EXPECTED_TARGETS}"


def is_name(text: str) -> bool:
    """Whether a text is valid as the name of an allowlist."""
    return NAME.regex.fullmatch(text) is not None


# Comparing an unknown name with thousands of known ones takes a while; a few hints are enough.
_MOST_HINTS: Final = 20


class Member(Kind[str]):
    """The name of one of the hosts.

    Args:
        known: Every name under `hosts`, those of faulty hosts included.
    """

    def __init__(self, known: Collection[str]) -> None:
        self.known = known
        self._hints = 0

    @property
    def expected(self) -> str:
        """A description of the value."""
        return "the name of a host"

    def parse(self, node: Node, at: str, reading: Reading) -> str | Invalid:
        """The name, if there is such a host."""
        if not isinstance(node, Scalar):
            return reading.problem(node, at, f"expected {self.expected}, got {got(node)}")
        if node.text in self.known:
            return node.text
        self._hints += 1
        hint = self._hint(node.text) if self._hints <= _MOST_HINTS else ""
        return reading.problem(node, at, f"{quote(node.text)} is not among hosts{hint}")

    def _hint(self, name: str) -> str:
        return suggestion(name, self.known) or known_names(self.known, "under hosts")

    def schema(self) -> dict[str, Any]:
        """The schema of a label."""
        return LABEL.schema()


def named_entries(
    node: Node, at: str, reading: Reading, kind: str
) -> Iterator[tuple[str, Node, Node, str]]:
    """Yield the entries of a section of allowlists or denylists: name, key, value, path."""
    entries = reading.entries(node, at, f"a mapping from names to {kind}s")
    if entries is INVALID:
        return
    if isinstance(node, Mapping) and not node.entries:
        reading.problem(node, at, f"expected at least one {kind}")
    for name, (key, child) in entries.items():
        here = below(at, name)
        if NAME.regex.fullmatch(name) is None:
            reading.problem(key, here, f"expected {NAME.expected} as key, got {quote(name)}")
        yield name, key, child, here


class Allowlists:
    """Reads every allowlist.

    Args:
        known: Every name under `hosts`, in order.
        places: Records the places that targets use.
    """

    def __init__(self, known: Collection[str], places: PlacesInUse | None = None) -> None:
        self.known = dict.fromkeys(known)
        self.places = places or PlacesInUse()
        self._member = Member(self.known)

    def read(self, node: Node, at: str, reading: Reading) -> dict[str, Allowlist]:
        """The valid allowlists, in the order of the file."""
        found: dict[str, Allowlist] = {}
        for name, _, child, here in named_entries(node, at, reading, "allowlist"):
            written = self.form(name).written(child, here, reading)
            if written is INVALID:
                continue
            if why := _unfit(written):
                reading.problem(child, here, why)
                continue
            found[name] = self._allowlist(name, written)
        return found

    def _allowlist(self, name: str, written: dict[str, Any]) -> Allowlist:
        roles = {role: written.get(role, False) for role in _ROLES}
        named = "hosts" in written
        hosts = written["hosts"] if named else tuple(self.known)
        if roles["follow"] or roles["retired"]:
            hosts = ()  # a follower gets them from the fleet
        return Allowlist(name, hosts, written.get("targets", ()), named, **roles)

    def form(self, name: str) -> Object[dict[str, Any]]:
        """The schema of one allowlist."""
        members = ListOf(self._member, unique=True, least=1)
        targets = Targets(name, self.places)
        options = {
            "hosts": Option(members, _HOSTS_HELP, ()),
            "targets": Option(targets, _TARGETS_HELP, ()),
            **{role: Option(Boolean(), text, default=False) for role, text in _ROLES.items()},
        }
        return Object(dict, options)


def allowlists_schema() -> dict[str, Any]:
    """The section as JSON Schema."""
    form = Allowlists(()).form("").schema()
    form["properties"]["hosts"].pop("default")  # every host: not a literal value
    form["properties"]["targets"].pop("default")
    form["anyOf"] = [{"required": ["targets"]}, {"required": ["publish"]}]
    return {
        "type": "object",
        "description": "Named sets of hosts, and where each is enforced.",
        "minProperties": 1,
        "propertyNames": {"pattern": NAME.schema()["pattern"]},
        "additionalProperties": form,
    }
