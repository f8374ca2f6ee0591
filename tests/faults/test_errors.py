"""Every system call that may fail does: a full disk, a broken one, one that may not be written."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from tests.faults.judging import (
    converges,
    failed_means_untouched,
    is_honest,
    is_in_unrecorded,
    is_no_less,
    is_polite,
    is_whole,
    places,
    reference,
)
from tests.faults.scenes import FILES, GATES, Scene
from tests.support.sampling import sample, share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from tests.faults.harness import Place
    from tests.faults.stage import Stage

pytestmark = pytest.mark.slow

ERRORS = (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EPERM, errno.EROFS)
LASTING = (errno.ENOSPC, errno.EROFS)
MOST = 5  # failing calls for each scene in a sample


def fails_for_others(place: Place) -> bool:
    """Whether it would be a failure of our output, of ld.so(8), or one that pipes do not have."""
    ours = place.process == 0 or place.name != "openat"
    return place.what.startswith(("/memfd:", "pipe:")) or not ours


def fail_everywhere(stage: Stage, scene: Scene, state_every: int) -> None:
    argv = stage.argv(scene.command)
    scene.set_up(stage)
    known = reference(stage, argv, scene.code)
    faults, turn = 0, (FILES + GATES).index(scene)
    chosen = [
        one for one in places(known.ran.calls, state_every=state_every) if not fails_for_others(one)
    ]
    for number, place in enumerate(sample(chosen, MOST, turn)):
        error = ERRORS[(number + turn) % len(ERRORS)]
        stage.put_back()
        ran = stage.warm.failing(place, error, *argv, lasting=error in LASTING)
        faults += bool(ran.hit)
        unrecorded = "unrecorded" in {outcome for outcome, _ in ran.targets.values()}
        try:
            is_polite(ran)
            seen = stage.look()
            if stage.inside is not None:
                is_no_less(seen, known)
            elif unrecorded:
                is_in_unrecorded(seen, known)
            else:
                is_whole(seen, known)
            is_honest(ran, seen, known)
            failed_means_untouched(ran, seen, known)
            converges(stage, argv, known, unrecorded=unrecorded)
        except AssertionError as problem:
            problem.add_note(f"{errno.errorcode[error]} at {place}: {ran} {ran.targets}")
            raise
    assert faults > share(20, 2)
    record("io_faults", calls=faults, tracebacks=0)
    record("lockouts", where="calls that failed", count=0)


@pytest.mark.parametrize("scene", FILES, ids=str)
def test_a_failing_disk_loses_nobody_and_is_told_as_it_is(stage: Stage, scene: Scene) -> None:
    fail_everywhere(stage, scene, state_every=2)


@pytest.mark.parametrize("error", [errno.EIO, errno.EINTR], ids=errno.errorcode.get)
def test_a_read_that_fails_once_is_no_damage(stage: Stage, error: int) -> None:
    """SQLite calls a page that could not be read a damaged file (SQLITE_IOERR_CORRUPTFS)."""
    argv, scene = stage.argv(), FILES[1]
    scene.set_up(stage)
    known = reference(stage, argv, scene.code)
    reads = [one for one in known.ran.calls if one.name == "pread64" and "state.db" in one.what]
    assert len(reads) > 5
    for place in (tried := sample(reads, 8, turn=error)):
        stage.put_back()
        ran = stage.warm.failing(place, error, *argv)
        assert ran.hit, place
        is_polite(ran)
        assert stage.leftovers() <= known.leftovers, f"set aside at {place}"
        is_honest(ran, stage.look(), known)
        converges(stage, argv, known)
    record("io_faults", where="reading the state", calls=len(tried), tracebacks=0)


def test_a_null_device_that_cannot_be_opened_is_done_without(stage: Stage) -> None:
    argv, scene = stage.argv(), FILES[1]
    scene.set_up(stage)
    known = reference(stage, argv, scene.code)
    opened = [one for one in known.ran.calls if (one.process, one.what) == (0, "/dev/null")]
    assert opened
    for place in (tried := sample(opened, 4)):
        stage.put_back()
        ran = stage.warm.failing(place, errno.EMFILE, *argv)
        assert ran.hit, place
        assert (ran.code, stage.look()) == (0, known.after), f"{place}: {ran}"
    record("io_faults", where="opening /dev/null", calls=len(tried), tracebacks=0)


@pytest.mark.root
@pytest.mark.parametrize("scene", GATES, ids=str)
def test_a_gate_outlives_every_failing_call(guarded: Stage, scene: Scene) -> None:
    fail_everywhere(guarded, scene, state_every=5)
