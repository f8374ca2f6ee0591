"""What the fake remembers: accounts with lists and operations, zones with rulesets, tokens."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from testkit.fake_cloudflare.limits import Modifications, Requests

if TYPE_CHECKING:
    from collections.abc import Callable


class Permission(Enum):
    """What a token may be allowed, by the names the vendor's dashboard gives them."""

    LISTS_READ = "Account Filter Lists Read"
    LISTS_EDIT = "Account Filter Lists Edit"
    ZONE_READ = "Zone Read"
    WAF_READ = "Zone WAF Read"
    WAF_EDIT = "Zone WAF Edit"


class AccountPlan(Enum):
    """What an account may hold: lists, items over all of them, custom rules of a zone.

    From https://developers.cloudflare.com/waf/tools/lists/ and
    https://developers.cloudflare.com/waf/custom-rules/, "Availability".
    """

    FREE = (1, 10_000, 5)
    PRO = (10, 10_000, 20)
    BUSINESS = (10, 10_000, 100)
    ENTERPRISE = (1_000, 500_000, 1_000)

    def __init__(self, lists: int, items: int, rules: int) -> None:
        self.lists = lists
        self.items = items
        self.rules = rules


@dataclass(frozen=True, slots=True)
class OperationDelay:
    """How long an operation takes: that many polls find it unfinished, or that many seconds pass.

    Whichever comes first. `None` never comes.
    """

    polls: int | None = 1
    seconds: float | None = 1.0


NEVER: Final = OperationDelay(None, None)


@dataclass(slots=True)
class Item:
    """An item as stored. `value` is what its kind of list holds, already normalised."""

    value: Any
    comment: str | None
    number: int
    id: str
    created: str
    modified: str


@dataclass(slots=True)
class ItemList:
    """A list. Items are kept by their value as text; `number` only ever grows."""

    id: str
    name: str
    kind: str
    description: str | None
    created: str
    modified: str
    items: dict[str, Item] = field(default_factory=dict)
    number: int = 0


class Status(Enum):
    """How far an operation is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(slots=True)
class Operation:
    """A write to the items of a list that was accepted. `change` raises `Refused` when it fails."""

    id: str
    change: Callable[[], None]
    delay: OperationDelay
    begun: float
    polls: int = 0
    status: Status = Status.PENDING
    completed: str | None = None
    error: str | None = None

    @property
    def open(self) -> bool:
        """Whether it still keeps others from writing."""
        return self.status in (Status.PENDING, Status.RUNNING)


@dataclass(slots=True)
class Account:
    """An account, with its lists and operations by identifier."""

    id: str
    plan: AccountPlan
    name: str = "Friends of the server"
    lists: dict[str, ItemList] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    modifications: Modifications = field(default_factory=Modifications)

    @property
    def stored(self) -> int:
        """How many items there are in all lists of IP addresses, which share one quota."""
        return sum(len(each.items) for each in self.lists.values() if each.kind == "ip")


@dataclass(slots=True)
class StoredRuleset:
    """A ruleset of a zone. Its rules are as they are answered."""

    id: str
    phase: str
    name: str
    description: str
    modified: str
    version: int = 1
    rules: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class StoredZone:
    """A zone, with its rulesets by phase. `status` is the API's word, `paused` its owner's."""

    id: str
    name: str
    account: Account
    status: str = "active"
    paused: bool = False
    rulesets: dict[str, StoredRuleset] = field(default_factory=dict)


@dataclass(slots=True)
class CloudState:
    """Everything. Whoever reads or changes it holds `lock`.

    Attributes:
        requests: How much each token asked.
        cursors: What each cursor stands for: the list, the last number given, what was searched.
        ranges: What `GET /ips` answers, IPv4 and IPv6.
        clock: Seconds that only go forward.
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    zones: dict[str, StoredZone] = field(default_factory=dict)
    tokens: dict[str, frozenset[Permission]] = field(default_factory=dict)
    filtered: dict[str, str] = field(default_factory=dict)
    requests: dict[str, Requests] = field(default_factory=dict)
    cursors: dict[str, tuple[str, tuple[int, ...], str]] = field(default_factory=dict)
    delay: OperationDelay = field(default_factory=OperationDelay)
    ranges: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    clock: Callable[[], float] = time.monotonic
    lock: threading.RLock = field(default_factory=threading.RLock)


def identifier() -> str:
    """A new one: 32 hexadecimal digits that say nothing."""
    return token_hex(16)


def timestamp() -> str:
    """This moment as the API writes it (RFC 3339)."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
