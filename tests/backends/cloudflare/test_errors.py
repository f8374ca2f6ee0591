"""What an error tells: facts as fields, and text that is safe to show."""

from __future__ import annotations

import pytest
from allowsync_backends.cloudflare.error_messages import permission, unconfirmed, what_happened
from allowsync_backends.cloudflare.errors import (
    LONGEST_MESSAGE,
    AccountBusy,
    ApiCall,
    ApiFault,
    CloudflareError,
    NoReply,
    NotFound,
    NotPermitted,
    OperationFailed,
    OperationUnfinished,
    RequestRefused,
    ServerTrouble,
    TokenRefused,
    TooMany,
    UnreadableReply,
    Unsent,
    printable,
)
from allowsync_backends.cloudflare.replies import understood

from allowsync.system.http_client import Response

ASKED = ApiCall("GET", "/accounts/0/rules/lists")
CHANGED = ApiCall("POST", "/accounts/0/rules/lists/0/items")
LOOKED = ApiCall("GET", "/accounts/0/rules/lists/bulk_operations/0")
LISTS_READ = (
    "Account > Account Filter Lists: Read, on the account (also called Account Rule Lists Read)"
)
LISTS_EDIT = (
    "Account > Account Filter Lists: Edit, on the account (also called Account Rule Lists Write)"
)
FAULTS = (ApiFault(1003, "no"), ApiFault(10031, "in use"))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Unsent(CHANGED, "refused"), "no connection to the API: refused"),
        (NoReply(ASKED, "cut"), "no reply to GET /accounts/0/rules/lists: cut"),
        (
            UnreadableReply(ASKED, 502, "a page of HTML"),
            "GET /accounts/0/rules/lists: HTTP 502 with a page of HTML",
        ),
        (RequestRefused(CHANGED, 400, FAULTS), "no (1003); in use (10031)"),
        (RequestRefused(CHANGED, 418), "HTTP 418"),
        (OperationFailed(CHANGED, "full"), "the operation failed: full"),
        (OperationUnfinished(CHANGED, 119.6), "the operation has not finished after 120 s"),
        (
            OperationUnfinished(CHANGED, 3.0, "HTTP 500"),
            "the operation has not finished after 3 s (HTTP 500)",
        ),
        (AccountBusy(CHANGED, 60.0), "another process has been writing to this account for 60 s"),
    ],
)
def test_an_error_says_what_is_known(error: CloudflareError, text: str) -> None:
    assert str(error) == text
    assert error.args == (str(error.call),)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            TokenRefused(ASKED, 401),
            "the API token is not a valid one: HTTP 401; write a valid one where it is kept",
        ),
        (
            TokenRefused(ASKED, 403, (ApiFault(9109, "Invalid access token"),)),
            (
                "the API token is refused: Invalid access token (9109); is it the right one, not "
                "expired, and does its Client IP Address Filtering allow this machine's address?"
            ),
        ),
        (
            NotPermitted(ASKED, 403),
            f"the API token lacks a permission: {LISTS_READ} (HTTP 403)",
        ),
        (NotFound(ASKED, 404), "HTTP 404: is the account right, and is it still there?"),
        (TooMany(ASKED, 429), "the API takes no more requests for now: HTTP 429; try again later"),
        (
            RequestRefused(CHANGED, 400, FAULTS),
            "a rule refers to the list: no (1003); in use (10031)",
        ),
        (RequestRefused(CHANGED, 400), "the API refuses: HTTP 400"),
        (ServerTrouble(ASKED, 503), "the API is in trouble: HTTP 503"),
        (Unsent(ASKED, "x"), "no connection to the API: x"),
    ],
)
def test_an_error_is_told_with_what_to_do(error: CloudflareError, text: str) -> None:
    assert what_happened(error) == text


@pytest.mark.parametrize(
    ("call", "needed"),
    [
        (ASKED, LISTS_READ),
        (CHANGED, LISTS_EDIT),
        (ApiCall("GET", "/zones"), "Zone > Zone: Read, on the zone"),
        (ApiCall("GET", "/zones/0/rulesets/1"), "Zone > Zone WAF: Read, on the zone"),
        (ApiCall("PATCH", "/zones/0/rulesets/1/rules/2"), "Zone > Zone WAF: Edit, on the zone"),
    ],
)
def test_a_permission_is_named_as_the_dashboard_names_it(call: ApiCall, needed: str) -> None:
    assert permission(NotPermitted(call, 403)) == needed


@pytest.mark.parametrize(
    ("error", "left_open"),
    [
        (NoReply(CHANGED, "x"), True),
        (UnreadableReply(CHANGED, 502, "x"), True),
        (ServerTrouble(CHANGED, 500), True),
        (OperationUnfinished(CHANGED, 1), True),
        (TokenRefused(LOOKED, 401), True),
        (NoReply(LOOKED, "x"), True),
        (NoReply(ASKED, "x"), False),
        (ServerTrouble(ASKED, 500), False),
        (Unsent(CHANGED, "x"), False),
        (TooMany(CHANGED, 429), False),
        (RequestRefused(CHANGED, 400), False),
        (OperationFailed(CHANGED, "x"), False),
    ],
)
def test_only_a_change_whose_end_was_not_seen_is_left_open(
    error: CloudflareError, left_open: bool
) -> None:
    assert unconfirmed(error) == left_open


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcödé", "plain, ünïcödé"),
        ("\x1b[31mred\x07", "?[31mred?"),
        ("two\nlines\r", "two?lines?"),
        ("\x9b2J\u202e\u2028\ud800", "?2J???"),
        ("", ""),
    ],
)
def test_nothing_in_a_message_acts_on_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("length", [299, 300, 301, 5000])
def test_a_long_message_is_cut_and_says_so(length: int) -> None:
    shown = printable("x" * length)
    assert len(shown) == min(length, LONGEST_MESSAGE)
    assert shown.endswith("…") == (length > LONGEST_MESSAGE)


def test_the_messages_of_a_reply_are_made_harmless_and_short() -> None:
    body = (
        b'{"success": false, "errors": [{"code": true, "message": "\\u001b[2J"}, 7, {"code": 5}]}'
    )
    with pytest.raises(RequestRefused) as caught:
        understood(ASKED, Response(400, {}, body))
    assert caught.value.faults == (ApiFault(0, "?[2J"), ApiFault(5, ""))


def test_what_caused_an_error_is_told_with_it() -> None:
    body = (
        b'{"success": false, "errors": [{"code": 6003, "message": "Invalid request headers", '
        b'"error_chain": [{"code": 6111, "message": "Invalid format for Authorization header"}]}]}'
    )
    with pytest.raises(TokenRefused, match=r"headers \(6003\); Invalid format .* \(6111\)"):
        understood(ASKED, Response(400, {}, body))
