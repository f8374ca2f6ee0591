"""The kinds of sources of networks: their names and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.config.errors import suggestion
from allowsync.config.installed import sources
from allowsync.config.networks import AnyNetwork, FixedNetwork
from allowsync.config.schema.collection_kinds import MapOf
from allowsync.config.schema.context import INVALID, Invalid, below
from allowsync.config.schema.kind import Leaf, UnfitError
from allowsync.config.schema.nodes import Mapping, Node, Scalar, ScalarType
from allowsync.config.schema.object import Object
from allowsync.config.schema.scalar_kinds import Pattern
from allowsync.config.sources import SourceOptions
from allowsync.model.types import Network
from allowsync.text import quote

if TYPE_CHECKING:
    from allowsync.config.schema.context import Reading

NAME: Final = Pattern("[a-z][a-z0-9_-]{0,30}", "the name of a source of networks")


class SourceName(Pattern):
    """The name of an installed source."""

    def __init__(self) -> None:
        super().__init__(NAME.regex.pattern, NAME.expected)

    def read(self, scalar: Scalar) -> str:
        """The name, if an entry point has it."""
        name = super().read(scalar)
        if complaint := _not_installed(name):
            raise UnfitError(complaint)
        return name

    def schema(self) -> dict[str, Any]:
        """The installed names."""
        return {"type": "string", "enum": list(sources())}


class NetworkOrSource(Leaf[Network | str]):
    """A fixed network, or the name of a source. No network looks like a name: it has `.` or `:`."""

    _network: Leaf[Network] = FixedNetwork()
    _source = SourceName()

    @property
    def expected(self) -> str:
        """Both forms."""
        return f"{self._network.expected}, or {self._source.expected} such as cloudflare"

    def read(self, scalar: Scalar) -> Network | str:
        """The network or the name."""
        if scalar.type is ScalarType.TEXT and NAME.regex.fullmatch(scalar.text):
            return self._source.read(scalar)
        return self._network.read(scalar)

    def schema(self) -> dict[str, Any]:
        """Either of the two forms."""
        return {"anyOf": [self._network.schema(), self._source.schema()]}

    def show(self, value: Network | str) -> Any:
        """CIDR form, or the name."""
        return str(value)


class ProxyOrSource(NetworkOrSource):
    """A network that grants no access, such as that of a proxy, or the name of a source."""

    _network = AnyNetwork()


class Sources(MapOf[SourceOptions]):
    """The section `sources`: options of sources that differ from the defaults."""

    def __init__(self) -> None:
        super().__init__(NAME, Object(SourceOptions))

    def parse(self, node: Node, at: str, reading: Reading) -> dict[str, SourceOptions] | Invalid:
        """Every entry; a name of a source that is not installed is a problem."""
        parsed = super().parse(node, at, reading)
        entries = node.entries if isinstance(node, Mapping) else ()
        keys = [key for key, _ in entries if isinstance(key, Scalar)]
        unknown = [key for key in keys if NAME.regex.fullmatch(key.text)]
        unknown = [key for key in unknown if _not_installed(key.text)]
        for key in unknown:
            reading.problem(key, below(at, key.text), _not_installed(key.text))
        return INVALID if unknown else parsed


def _not_installed(name: str) -> str:
    """The message about a source that is not installed; empty if it is."""
    known = sources()
    if name in known:
        return ""
    hint = suggestion(name, known) or f"; found: {', '.join(known) or 'none'}"
    return f"there is no source of networks {quote(name)}{hint}"
