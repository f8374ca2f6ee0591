"""One request from its bytes to what becomes of it, without a socket."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from testkit.fake_cloudflare import operations, routes
from testkit.fake_cloudflare.admission import admit
from testkit.fake_cloudflare.calls import RoutedCall
from testkit.fake_cloudflare.faults import Delivery, OrderedFault
from testkit.fake_cloudflare.replies import JSON, CallRefused, FakeReply, invalid
from testkit.fake_cloudflare.validation import INVALID_JSON

if TYPE_CHECKING:
    from testkit.fake_cloudflare.faults import FaultQueue
    from testkit.fake_cloudflare.log import LoggedRequest
    from testkit.fake_cloudflare.state import CloudState

QUERIES: Final = {
    "items.list": {"cursor", "per_page", "search"},
    "zones.list": {"name", "page", "per_page", "status", "account.id", "order", "direction"},
    "ips": {"networks"},
    "rulesets.list": {"cursor", "per_page"},
}
"""What may be asked in the query of a route; elsewhere nothing."""


def respond(cloud: CloudState, faults: FaultQueue, request: LoggedRequest) -> Delivery:
    """Carry out a request, unless a fault comes in between, and note what happened in it."""
    try:
        route, params = routes.find(request.method, request.path)
    except CallRefused as refused:
        return Delivery(refused.reply)
    request.name = route.name
    request.fault = faults.take(route.name)
    fault = request.fault or OrderedFault()
    if fault.cuts_before():
        return Delivery(FakeReply(0, None), cut=True)
    early = fault.before()
    if early is not None:
        return fault.deliver(early)
    try:
        reply = _answer(cloud, route, params, request, fault)
    except CallRefused as refused:
        reply = refused.reply
    return fault.deliver(reply)


def _answer(
    cloud: CloudState,
    route: routes.Route,
    params: dict[str, str],
    request: LoggedRequest,
    fault: OrderedFault,
) -> FakeReply:
    with cloud.lock:
        operations.settle(cloud)
        admit(cloud, route, params, request.headers.get("authorization"))
        if surplus := sorted(set(request.query) - QUERIES.get(route.name, set())):
            raise invalid(f"unknown parameter: {', '.join(surplus)}")
        body = _body(request) if route.method != "GET" else None
        call = RoutedCall(cloud, request.path, params, request.query, body)
        return route.answer(replace(call, fate=fault.fate()))


def _body(request: LoggedRequest) -> Any:
    """The body of a request that may have one.

    Raises:
        CallRefused: It is not called JSON, or is none.
    """
    if not request.body:
        return None
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise CallRefused(415, 19415, f"the body has to be {JSON}")
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise invalid("filters.api.invalid_json", INVALID_JSON) from error


def query_of(text: str) -> dict[str, str]:
    """A query by its names; of a name that comes twice, the last."""
    return dict(parse_qsl(text, keep_blank_values=True))
