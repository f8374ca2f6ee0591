"""The lists of an account: made, shown, described and deleted at once, without an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testkit.fake_cloudflare import validation
from testkit.fake_cloudflare.expressions import references
from testkit.fake_cloudflare.operations import none_pending
from testkit.fake_cloudflare.replies import CallRefused, invalid, success
from testkit.fake_cloudflare.state import ItemList, identifier, timestamp

if TYPE_CHECKING:
    from testkit.fake_cloudflare.calls import RoutedCall
    from testkit.fake_cloudflare.replies import FakeReply
    from testkit.fake_cloudflare.state import Account, CloudState

IN_USE = 10031


def index(call: RoutedCall) -> FakeReply:
    """All lists of an account. There are no pages."""
    return success([shown(call.cloud, call.account, each) for each in call.account.lists.values()])


def create(call: RoutedCall) -> FakeReply:
    """A new, empty list, when the plan has room for one."""
    body = validation.fields(call.body, ("name", "kind"), ("description",))
    name, kind = validation.name(body["name"]), validation.kind(body["kind"])
    description = validation.description(body.get("description"))
    none_pending(call.account)
    if any(each.name == name for each in call.account.lists.values()):
        raise invalid(f"there is a list of the name {name} already", 19409)
    if len(call.account.lists) >= call.account.plan.lists:
        raise invalid("the plan of the account allows no more lists", 19402)
    made = make(call.account, name, kind, description)
    return success(shown(call.cloud, call.account, made))


def make(account: Account, name: str, kind: str, description: str | None) -> ItemList:
    """Add a list to an account, whatever the plan allows."""
    now = timestamp()
    made = ItemList(identifier(), name, kind, description, now, now)
    account.lists[made.id] = made
    return made


def show(call: RoutedCall) -> FakeReply:
    """One list, without its items."""
    return success(shown(call.cloud, call.account, call.list))


def describe(call: RoutedCall) -> FakeReply:
    """Another description: the one thing of a list that can be changed."""
    found = call.list
    body = validation.fields(call.body, (), ("description",))
    description = validation.description(body.get("description"))
    none_pending(call.account)
    found.description = description
    found.modified = timestamp()
    return success(shown(call.cloud, call.account, found))


def delete(call: RoutedCall) -> FakeReply:
    """Delete a list that no rule refers to."""
    found = call.list
    none_pending(call.account)
    if referencing(call.cloud, call.account, found):
        raise CallRefused(400, IN_USE, "filters.api.ip_list_in_use")
    del call.account.lists[found.id]
    return success({"id": found.id})


def referencing(cloud: CloudState, account: Account, found: ItemList) -> int:
    """How many rules of the account's zones refer to a list."""
    return sum(
        found.name in references(rule["expression"])
        for zone in cloud.zones.values()
        if zone.account is account
        for ruleset in zone.rulesets.values()
        for rule in ruleset.rules
    )


def shown(cloud: CloudState, account: Account, found: ItemList) -> dict[str, Any]:
    """A list as it is answered."""
    answer: dict[str, Any] = {
        "id": found.id,
        "name": found.name,
        "kind": found.kind,
        "num_items": len(found.items),
        "num_referencing_filters": referencing(cloud, account, found),
        "created_on": found.created,
        "modified_on": found.modified,
    }
    if found.description is not None:
        answer["description"] = found.description
    return answer
