"""Waiting for the end of an asynchronous operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync_backends.cloudflare.errors import (
    ApiCall,
    CloudflareError,
    NotPermitted,
    OperationFailed,
    OperationUnfinished,
    TokenRefused,
    printable,
)
from allowsync_backends.cloudflare.time_budget import OPERATION_PATIENCE, POLLS
from allowsync_backends.cloudflare.values import OperationStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync_backends.cloudflare.time_budget import Budget
    from allowsync_backends.cloudflare.values import BulkOperation


def finished(look: Callable[[], BulkOperation], call: ApiCall, budget: Budget) -> BulkOperation:
    """Wait until an operation has succeeded.

    Args:
        look: Queries its progress.
        call: The request that started it.
        budget: The time to wait, 120 seconds at most.

    Raises:
        OperationFailed: It ended otherwise.
        OperationUnfinished: It has not ended in time, or its end cannot be queried.
    """
    waiting = budget.at_most(OPERATION_PATIENCE)
    for number in range(1_000):
        pause = POLLS[min(number, len(POLLS) - 1)]
        if pause > waiting.left:
            break
        waiting.clock.sleep(pause)
        operation = _seen(look, call, waiting)
        match operation.status:
            case OperationStatus.COMPLETED:
                return operation
            case OperationStatus.FAILED:
                raise OperationFailed(call, printable(operation.error) or "no reason given")
            case OperationStatus.PENDING | OperationStatus.RUNNING:
                continue
    raise OperationUnfinished(call, waiting.spent)


def _seen(look: Callable[[], BulkOperation], call: ApiCall, waiting: Budget) -> BulkOperation:
    try:
        return look()
    except (TokenRefused, NotPermitted):
        raise
    except CloudflareError as error:
        # It was accepted before: an invisible end does not make it undone.
        raise OperationUnfinished(call, waiting.spent, str(error)) from error
