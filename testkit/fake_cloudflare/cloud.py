"""The fake as tests see it: a context manager with its lists, its log and its faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from testkit.fake_cloudflare import items, lists, operations, published, rules, validation
from testkit.fake_cloudflare.calls import RoutedCall
from testkit.fake_cloudflare.faults import FaultQueue
from testkit.fake_cloudflare.rulesets import CUSTOM
from testkit.fake_cloudflare.server import PREFIX, FakeApiServer
from testkit.fake_cloudflare.state import (
    Account,
    AccountPlan,
    CloudState,
    OperationDelay,
    Permission,
    StoredRuleset,
    StoredZone,
    identifier,
    timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from testkit.fake_cloudflare.log import LoggedRequest
    from testkit.fake_cloudflare.state import ItemList

ACCOUNT: Final = "0123456789abcdef0123456789abcdef"
TOKEN: Final = "fake-token-for-loopback-only-0123456789a"  # noqa: S105 - opens nothing


class FakeCloudflare:
    """Serves the API on loopback while it is entered; what is planted before is kept.

    Args:
        token: A token with every permission.
        account: The identifier of the first account.
        plan: What that account may hold.
        delay: How long operations take.
        port: 0 picks a free one.
        clock: Seconds that only go forward, for the delays.

    Attributes:
        faults: What is to go wrong.
        tokens: The permissions of each token; add some of your own.
        ranges: What `GET /ips` answers.
    """

    def __init__(
        self,
        token: str = TOKEN,
        account: str = ACCOUNT,
        plan: AccountPlan = AccountPlan.FREE,
        delay: OperationDelay = OperationDelay(),  # noqa: B008 - frozen
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.token = token
        self.account = account
        self.faults = FaultQueue()
        self.cloud = CloudState(delay=delay, clock=clock, ranges=(published.IPV4, published.IPV6))
        self.cloud.accounts[account] = Account(account, plan)
        self.cloud.tokens[token] = frozenset(Permission)
        self._server = FakeApiServer(self.cloud, self.faults, ("127.0.0.1", port))
        self._thread = threading.Thread(target=self._serve, name=f"cloudflare {self.url}")

    @property
    def url(self) -> str:
        """The base of all routes, as a client is configured with."""
        return f"http://127.0.0.1:{self._server.server_port}{PREFIX}"

    def __enter__(self) -> FakeCloudflare:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and raise what went wrong inside, if anything did."""
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()
        if self._server.failures and error is None:
            raise self._server.failures[0]

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    # What happened.

    @property
    def requests(self) -> list[LoggedRequest]:
        """All requests so far, in the order they came in."""
        return list(self._server.log)

    @property
    def writes(self) -> list[LoggedRequest]:
        """Those that change something, or would have."""
        return [request for request in self._server.log if request.writes]

    @property
    def asked(self) -> list[str]:
        """The names of the routes of all requests, in order."""
        return [request.name for request in self._server.log]

    def forget(self) -> None:
        """Begin the log anew."""
        self._server.log.clear()

    # Accounts and tokens.

    @property
    def tokens(self) -> dict[str, frozenset[Permission]]:
        """What each token is allowed."""
        return self.cloud.tokens

    def add_account(self, plan: AccountPlan = AccountPlan.FREE, account: str = "") -> str:
        """Another account. Returns its identifier."""
        made = Account(account or identifier(), plan)
        self.cloud.accounts[made.id] = made
        return made.id

    def _account(self, account: str | None) -> Account:
        return self.cloud.accounts[account or self.account]

    # Lists and items.

    @property
    def lists(self) -> dict[str, ItemList]:
        """The lists of the first account, by name."""
        return {each.name: each for each in self._account(None).lists.values()}

    def add_list(
        self,
        name: str,
        given: Mapping[str, str | None] | Iterable[str] = (),
        *,
        kind: str = "ip",
        description: str | None = None,
        account: str | None = None,
    ) -> str:
        """A list, whatever the plan allows, with items or items and comments. Returns its id."""
        with self.cloud.lock:
            made = lists.make(self._account(account), name, kind, description)
            self._put(made, given if isinstance(given, Mapping) else dict.fromkeys(given))
            return made.id

    def plant(self, name: str, address: str, comment: str | None = None) -> str:
        """Put an item into a list at once, as somebody else would. Returns its identifier."""
        with self.cloud.lock:
            found = self.lists[name]
            self._put(found, {address: comment})
            return found.items[validation.address(address)].id

    def pull(self, name: str, address: str) -> None:
        """Take an item out of a list at once."""
        with self.cloud.lock:
            del self.lists[name].items[validation.address(address)]

    def items(self, name: str) -> dict[str, str | None]:
        """What a list holds, with the comments, sorted."""
        with self.cloud.lock:
            operations.settle(self.cloud)
            held = self.lists[name].items
            return {key: held[key].comment for key in sorted(held)}

    def _put(self, found: ItemList, given: Mapping[str, str | None]) -> None:
        body = [{found.kind: value, **_comment(text)} for value, text in given.items()]
        if body:
            items.put(found, validation.items(body, found.kind))

    # Operations.

    @property
    def pending(self) -> int:
        """How many operations are unfinished."""
        with self.cloud.lock:
            operations.settle(self.cloud)
            return sum(
                operation.open
                for account in self.cloud.accounts.values()
                for operation in account.operations.values()
            )

    def finish(self) -> None:
        """Carry out everything that is pending, also what would never be."""
        with self.cloud.lock:
            for account in self.cloud.accounts.values():
                for operation in account.operations.values():
                    if operation.open:
                        operations.finish(operation)

    # Zones and rules.

    def add_zone(self, name: str, account: str | None = None) -> str:
        """A zone without rulesets. Returns its identifier."""
        made = StoredZone(identifier(), name, self._account(account))
        self.cloud.zones[made.id] = made
        return made.id

    def add_rule(self, zone: str, expression: str, action: str = "block", **more: object) -> str:
        """A custom rule of somebody else in a zone, at the end. Returns its identifier."""
        with self.cloud.lock:
            ruleset = self._ruleset(zone)
            body = {"action": action, "expression": expression, **more}
            call = RoutedCall(self.cloud, "", {"zone": zone, "ruleset": ruleset.id}, {}, body)
            rules.add(call)
            return str(ruleset.rules[-1]["id"])

    def rules(self, zone: str) -> list[dict[str, object]]:
        """The custom rules of a zone, in order."""
        with self.cloud.lock:
            ruleset = self.cloud.zones[zone].rulesets.get(CUSTOM)
            return [dict(rule) for rule in ruleset.rules] if ruleset else []

    def refer_to(self, name: str, zone: str | None = None) -> str:
        """Let a rule refer to a list, in a zone of its own unless one is given. Returns its id."""
        where = zone or self.add_zone(f"{name.replace('_', '-')}.example")
        return self.add_rule(where, f"not ip.src in ${name}")

    def _ruleset(self, zone: str) -> StoredRuleset:
        made = StoredRuleset(identifier(), CUSTOM, "default", "", timestamp(), version=0)
        return self.cloud.zones[zone].rulesets.setdefault(CUSTOM, made)


def _comment(text: str | None) -> dict[str, str]:
    return {} if text is None else {"comment": text}
