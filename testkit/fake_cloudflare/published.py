"""The ranges Cloudflare's own servers have (https://www.cloudflare.com/ips/), for `GET /ips`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from testkit.fake_cloudflare.replies import success

if TYPE_CHECKING:
    from testkit.fake_cloudflare.calls import RoutedCall
    from testkit.fake_cloudflare.replies import FakeReply

IPV4: Final = (
    "173.245.48.0/20",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "141.101.64.0/18",
    "108.162.192.0/18",
    "190.93.240.0/20",
    "188.114.96.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "162.158.0.0/15",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "172.64.0.0/13",
    "131.0.72.0/22",
)
IPV6: Final = (
    "2400:cb00::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2405:b500::/32",
    "2405:8100::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
)


def show(call: RoutedCall) -> FakeReply:
    """The ranges, and a digest that changes when they do. No token is asked for."""
    ipv4, ipv6 = call.cloud.ranges
    digest = hashlib.sha256("\n".join((*ipv4, *ipv6)).encode()).hexdigest()[:32]
    return success({"etag": digest, "ipv4_cidrs": list(ipv4), "ipv6_cidrs": list(ipv6)})
