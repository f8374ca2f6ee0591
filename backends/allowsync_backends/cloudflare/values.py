"""The objects of Cloudflare's API as values. Networks are networks; text is for the edge."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from allowsync.model.types import Network

PHASE: Final = "http_request_firewall_custom"  # of the custom rules


class ListKind(Enum):
    """The kind of a list's items. allowsync uses lists of addresses."""

    IP = "ip"
    REDIRECT = "redirect"
    HOSTNAME = "hostname"
    ASN = "asn"
    OTHER = "other"  # a kind newer than this code; none can be made


class AccountList(Value):
    """A list of an account, without its items.

    Attributes:
        id: Thirty-two hexadecimal digits.
        name: As rules refer to it: `$name`. It cannot be changed.
        kind: The kind of its items.
        description: For people.
        num_items: The number of its items.
        num_referencing_filters: The number of rules that refer to it; while there are any, it
            cannot be deleted.
        modified: The time of its last change; None when the API omits it.
    """

    id: str
    name: str
    kind: ListKind
    description: str
    num_items: int
    num_referencing_filters: int
    modified: datetime | None = None


class ListItem(Value):
    """One network in a list. There is one item for an address, and so one comment."""

    id: str
    network: Network
    comment: str = ""
    modified: datetime | None = None


class NewItem(Value):
    """An item to be put into a list. It overwrites one present for the same network."""

    network: Network
    comment: str = ""


class OperationStatus(Enum):
    """The progress of an asynchronous operation."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class BulkOperation(Value):
    """An asynchronous operation on a list. `error` is empty unless it failed."""

    id: str
    status: OperationStatus
    error: str = ""


class Zone(Value):
    """A domain.

    Attributes:
        id: Thirty-two hexadecimal digits.
        name: The domain itself.
        account: The id of the account it is in.
        status: `active`; else the reason, as a word, why Cloudflare passes on no requests.
    """

    id: str
    name: str
    account: str
    status: str = "active"


class ZoneRule(Value):
    """A rule of a ruleset. `raw` is the API's whole document, to be sent back unchanged."""

    id: str
    expression: str
    action: str
    description: str
    enabled: bool
    raw: Mapping[str, Any]


class Ruleset(Value):
    """The rules of a phase, in evaluation order."""

    id: str
    name: str
    phase: str
    rules: tuple[ZoneRule, ...]


class NewRule(Value):
    """A rule to be put into a ruleset."""

    expression: str
    action: str
    description: str
    enabled: bool = True


class PublishedRanges(Value):
    """The networks Cloudflare connects to origins from. `etag` changes when they do."""

    networks: tuple[Network, ...]
    etag: str
