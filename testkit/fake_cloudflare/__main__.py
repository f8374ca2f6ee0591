"""Serve the fake until interrupted: `python -m testkit.fake_cloudflare --list friends`.

The first line it prints is its URL.
"""

from __future__ import annotations

import argparse
import signal
import sys

from testkit.fake_cloudflare import AccountPlan, FakeCloudflare, OperationDelay
from testkit.fake_cloudflare.cloud import ACCOUNT, TOKEN


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m testkit.fake_cloudflare")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument(
        "--token", default=TOKEN, help="a token with every permission (%(default)s)"
    )
    parser.add_argument("--account", default=ACCOUNT, help="32 hexadecimal digits (%(default)s)")
    parser.add_argument(
        "--plan", choices=[each.name.lower() for each in AccountPlan], default="free"
    )
    parser.add_argument("--list", action="append", default=[], help="a list that is there already")
    parser.add_argument("--zone", action="append", default=[], help="a zone that is there")
    parser.add_argument("--polls", type=int, default=1, help="how often an operation is unfinished")
    parser.add_argument("--verbose", action="store_true", help="print each request at the end")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    """Serve until SIGINT or SIGTERM."""
    wanted = _arguments(given)
    stop = {signal.SIGINT, signal.SIGTERM}
    # Blocked before the threads begin, which inherit it: the signals are for this one to wait for.
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    fake = FakeCloudflare(
        wanted.token,
        wanted.account,
        AccountPlan[wanted.plan.upper()],
        OperationDelay(polls=wanted.polls),
        wanted.port,
    )
    for name in wanted.list:
        fake.add_list(name)
    for name in wanted.zone:
        fake.add_zone(name)
    with fake:
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        signal.sigwait(stop)
    if wanted.verbose:
        sys.stdout.writelines(f"{request}\n" for request in fake.requests)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
