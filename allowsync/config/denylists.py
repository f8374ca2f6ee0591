"""The section `denylists`: blocked networks, and the targets that enforce them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.config.allowlists import NAME, Member, named_entries
from allowsync.config.hosts import LABEL
from allowsync.config.kinds import INVALID, Invalid, Kind, ListOf, Reading
from allowsync.config.list_kinds import check_named, names_kind
from allowsync.config.networks import AnyNetwork
from allowsync.config.schema.context import below
from allowsync.config.schema.kind import UnfitError
from allowsync.config.schema.nodes import Mapping, Node, Scalar, ScalarType
from allowsync.config.schema.object import Object, Option
from allowsync.config.settings import Denylist
from allowsync.config.targets import PlacesInUse, Targets
from allowsync.model.target import Effect
from allowsync.policy.denylist import too_wide
from allowsync.policy.lists import WIDEST
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Collection

    from allowsync.model.types import Network

_LISTS_HELP: Final = "The lists whose networks are blocked, by their names under `lists`."
_NETWORKS_HELP: Final = "Networks to block, such as that of a scanner."
_EXCEPT_HELP: Final = (
    "Networks, and hosts by name, that are never blocked. Hosts on an allowlist, this machine's "
    "own networks, its gateways and its nameservers never are, and need no entry."
)
_TARGETS_HELP: Final = "The targets that enforce it, as for an allowlist: backends that can deny."


class BlockedNetwork(AnyNetwork):
    """A network to block."""

    def judge(self, network: Network) -> None:
        """Refuse a network wider than the widest that may be blocked."""
        if too_wide(network):
            widest = " or ".join(f"/{one}" for one in WIDEST.values())
            raise UnfitError(f"{network} is too wide: {widest} is the widest that may be blocked")


class Spared(Kind["str | Network"]):
    """A network, or the name of a host. No network is a name: it has `:` or only digits and dots.

    Args:
        known: Every name under `hosts`.
    """

    _network = AnyNetwork()

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self._member = Member(known)

    @property
    def expected(self) -> str:
        """Both forms."""
        return f"{self._network.expected}, or {self._member.expected}"

    def parse(self, node: Node, at: str, reading: Reading) -> str | Network | Invalid:
        """The network, or the name."""
        if isinstance(node, Scalar) and node.type is ScalarType.TEXT:
            named = LABEL.regex.fullmatch(node.text) is not None
            numbers = not node.text.strip("0123456789.")
            if node.text in self._known or (named and not numbers):
                return self._member.parse(node, at, reading)
        return self._network.parse(node, at, reading)

    def schema(self) -> dict[str, Any]:
        """Either of the two forms."""
        return {"anyOf": [self._network.schema(), self._member.schema()]}

    def show(self, value: str | Network) -> Any:
        """CIDR form, or the name."""
        return str(value)


class Denylists:
    """Reads every denylist.

    Args:
        hosts: Every name under `hosts`.
        allowlists: Every name of an allowlist.
        places: The places that targets of allowlists use already.
        lists: Every name under `lists`.
    """

    def __init__(
        self,
        hosts: Collection[str],
        allowlists: Collection[str],
        places: PlacesInUse,
        lists: Collection[str] = (),
    ) -> None:
        self._hosts, self._allowlists, self._places = hosts, allowlists, places
        self._lists = lists

    def read(self, node: Node, at: str, reading: Reading) -> dict[str, Denylist]:
        """The valid denylists, in the order of the file."""
        found: dict[str, Denylist] = {}
        for name, key, child, here in named_entries(node, at, reading, "denylist"):
            if name in self._allowlists:
                what = f"there is an allowlist {quote(name)}; a denylist needs another name"
                reading.problem(key, here, what)
            written = self.form(name).written(child, here, reading)
            if written is INVALID:
                continue
            if not (written.get("networks") or written.get("lists")):
                reading.problem(child, here, "needs lists or networks")
            self._check_lists(child, here, reading)
            found[name] = Denylist(
                name,
                written["targets"],
                written.get("networks", ()),
                written.get("lists", ()),
                written.get("except", ()),
            )
        return found

    def _check_lists(self, node: Node, at: str, reading: Reading) -> None:
        """Report each list that is not described under `lists`."""
        for key, child in node.entries if isinstance(node, Mapping) else ():
            if isinstance(key, Scalar) and key.text == "lists":
                check_named(child, below(at, "lists"), self._lists, reading)

    def form(self, name: str) -> Object[dict[str, Any]]:
        """The schema of one denylist."""
        return Object(
            dict,
            {
                "lists": Option(names_kind(), _LISTS_HELP, ()),
                "networks": Option(ListOf(BlockedNetwork(), unique=True), _NETWORKS_HELP, ()),
                "except": Option(ListOf(Spared(self._hosts), unique=True), _EXCEPT_HELP, ()),
                "targets": Option(Targets(name, self._places, Effect.DENY), _TARGETS_HELP),
            },
        )


def denylists_schema() -> dict[str, Any]:
    """The section as JSON Schema."""
    return {
        "type": "object",
        "description": "Named sets of networks that are blocked, and where.",
        "minProperties": 1,
        "propertyNames": {"pattern": NAME.schema()["pattern"]},
        "additionalProperties": Denylists((), (), PlacesInUse()).form("").schema(),
    }
