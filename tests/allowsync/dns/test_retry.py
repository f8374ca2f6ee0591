from __future__ import annotations

import pytest

from allowsync.dns.retry import BASE, JITTER, Retry

RETRY = Retry(attempts=3, timeout=3.0, deadline=20.0, started=1000.0)


@pytest.mark.parametrize(
    ("attempts", "now", "over"),
    [(1, 1000.1, False), (2, 1019.9, False), (3, 1000.1, True), (1, 1020.0, True)],
)
def test_attempts_and_the_deadline_end_it(attempts: int, now: float, over: bool) -> None:
    assert RETRY.over(attempts, now) is over


def test_the_pause_doubles_with_some_jitter() -> None:
    for attempts in (1, 2, 3, 4):
        least = BASE * 2 ** (attempts - 1)
        for _ in range(20):
            assert least <= RETRY.wait(attempts) <= least + JITTER


def test_the_pause_is_never_longer_than_the_timeout() -> None:
    assert RETRY.wait(50) == 3.0
