"""Writes to items are asynchronous: accepted first, carried out later, one at a time.

"There is a limit of 1 pending bulk operation per account" (API reference, list items); what comes
while one is pending is answered 429 (https://developers.cloudflare.com/waf/tools/lists/lists-api/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testkit.fake_cloudflare.replies import CallRefused
from testkit.fake_cloudflare.state import Operation, Status, identifier, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from testkit.fake_cloudflare.state import Account, CloudState, OperationDelay


def begin(
    cloud: CloudState, account: Account, change: Callable[[], None], delay: OperationDelay
) -> Operation:
    """Accept a write. It is carried out when its delay is over."""
    operation = Operation(identifier(), change, delay, cloud.clock())
    account.operations[operation.id] = operation
    return operation


def none_pending(account: Account) -> None:
    """Raise `CallRefused` while an operation of the account is unfinished."""
    if any(operation.open for operation in account.operations.values()):
        raise CallRefused(429, 19429, "a bulk operation of this account is still pending")


def settle(cloud: CloudState) -> None:
    """Finish what is due by time."""
    for account in cloud.accounts.values():
        for operation in account.operations.values():
            seconds = operation.delay.seconds
            if not operation.open or seconds is None:
                continue
            if cloud.clock() - operation.begun >= seconds:
                finish(operation)


def poll(operation: Operation) -> dict[str, Any]:
    """How far an operation is, for somebody who asks; asking enough finishes it."""
    if operation.open:
        if operation.delay.polls is not None and operation.polls >= operation.delay.polls:
            finish(operation)
        else:
            operation.polls += 1
    shown = _shown(operation)
    if operation.status is Status.PENDING:
        operation.status = Status.RUNNING
    return shown


def finish(operation: Operation) -> None:
    """Carry it out now."""
    operation.status = Status.COMPLETED
    operation.completed = timestamp()
    try:
        operation.change()
    except CallRefused as refused:
        operation.status = Status.FAILED
        operation.error = refused.message


def _shown(operation: Operation) -> dict[str, Any]:
    shown = {"id": operation.id, "status": operation.status.value}
    if operation.completed is not None:
        shown["completed"] = operation.completed
    if operation.error is not None:
        shown["error"] = operation.error
    return shown
