"""A Cloudflare on loopback for tests and demonstrations: strict, with a memory, and hard to please.

    with FakeCloudflare() as fake:
        friends = fake.add_list("friends", {"203.0.113.9": "added by hand"})
        ...  # a client with fake.url, fake.token and fake.account
        assert fake.items("friends") == {"203.0.113.9": "added by hand"}
        fake.faults.add(RateLimited(), on="items.create")

What it takes, refuses and answers follows what the vendor publishes: the API reference
(https://developers.cloudflare.com/api/resources/rules/subresources/lists/), the documentation of
lists (https://developers.cloudflare.com/waf/tools/lists/) and of the ruleset engine
(https://developers.cloudflare.com/ruleset-engine/). Where the vendor leaves something open, the
fake takes the less pleasant way, so that a client which gets along with it gets along with either.
Error codes from 19000 to 19999 are its own: the vendor publishes none for these cases.
"""

from __future__ import annotations

from testkit.fake_cloudflare.cloud import FakeCloudflare
from testkit.fake_cloudflare.faults import (
    CutConnection,
    FailedCall,
    FaultQueue,
    LateQuota,
    Meanwhile,
    OperationFails,
    OperationLate,
    OrderedFault,
    RateLimited,
    Slow,
    TruncatedReply,
    Unsuccessful,
    Wrong,
    WrongType,
)
from testkit.fake_cloudflare.log import LoggedRequest
from testkit.fake_cloudflare.state import AccountPlan, OperationDelay, Permission

__all__ = [
    "AccountPlan",
    "CutConnection",
    "FailedCall",
    "FakeCloudflare",
    "FaultQueue",
    "LateQuota",
    "LoggedRequest",
    "Meanwhile",
    "OperationDelay",
    "OperationFails",
    "OperationLate",
    "OrderedFault",
    "Permission",
    "RateLimited",
    "Slow",
    "TruncatedReply",
    "Unsuccessful",
    "Wrong",
    "WrongType",
]
