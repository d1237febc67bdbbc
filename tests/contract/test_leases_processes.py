"""Proves that owners in different processes never share a processor nor get into each other's way,
and that the next command cleans up after an owner killed between any two system calls."""

from __future__ import annotations

import os
import time

import pytest

from adapters.state.leases import FileLeases
from domain.container import Owner
from domain.errors import Busy
from tests.contract.children import child, every_death, kill, spawn, status_of
from tests.waiting import wait_until

M4 = "remoteproc0"


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "owners")


def together(*functions):
    """Run them at the same time, each in its process, until all have ended; all must succeed."""
    start = time.monotonic() + 0.2

    def later(function):
        def body():
            time.sleep(max(0.0, start - time.monotonic()))
            function()

        return body

    pids = [spawn(later(function)) for function in functions]
    assert [status_of(pid) for pid in pids] == [0] * len(pids)


def test_a_killed_owner_loses_its_right_and_nothing_else(directory):
    def own(ready):
        FileLeases(directory, "board").acquire(M4, Owner("c1", "/r")).record_claim(
            {"firmware": "x"}
        )
        ready()

    leases = FileLeases(directory, "board")
    with child(own) as pid:
        with pytest.raises(Busy, match="c1"):
            leases.acquire(M4, Owner("c2", "/r"))
        kill(pid)
        [lease] = leases.stale()
        assert (lease.owner, lease.claim) == (Owner("c1", "/r"), {"firmware": "x"})
        assert leases.acquire(M4, Owner("c2", "/r")).claim == {"firmware": "x"}


def test_of_eight_processes_exactly_one_wins(directory, tmp_path):
    for number in range(5):
        device = f"remoteproc{number}"

        def ended(how, device=device):
            return list(tmp_path.glob(f"{device}-{how}-*"))

        def take(device=device, ended=ended):
            try:
                FileLeases(directory, "board").acquire(device, Owner(str(os.getpid()), "/r"))
            except Busy:
                (tmp_path / f"{device}-lost-{os.getpid()}").touch()
                return
            (tmp_path / f"{device}-won-{os.getpid()}").touch()
            assert wait_until(lambda: len(ended("lost")) == 7, 60)

        together(*[take] * 8)
        assert (len(ended("won")), len(ended("lost"))) == (1, 7)


def test_looking_never_makes_a_take_fail(directory):
    """Four processes look as fast as they can while a fifth acquires and releases the lease."""
    until = time.monotonic() + 3

    def look():
        leases = FileLeases(directory, "board")
        while time.monotonic() < until:
            leases.owner(M4)
            for lease in leases.stale():
                if lease.claim:
                    raise AssertionError(f"a living owner is taken for dead: {lease.claim}")
                lease.release()

    def work():
        leases = FileLeases(directory, "board")
        while time.monotonic() < until:
            lease = leases.acquire(M4, Owner("c1", "/r"))
            lease.record_claim({"firmware": "x"})
            assert leases.owner(M4) == Owner("c1", "/r")
            lease.record_claim({})
            lease.release()

    together(work, look, look, look, look)


def test_owners_of_different_processors_do_not_disturb_each_other(directory):
    until = time.monotonic() + 3

    def work(device):
        def body():
            leases = FileLeases(directory, "board")
            while time.monotonic() < until:
                lease = leases.acquire(device, Owner("c1", "/r"))
                assert not lease.claim
                lease.record_claim({"firmware": "x"})
                lease.release()

        return body

    together(*(work(f"remoteproc{number}") for number in range(4)))
    assert not os.path.isdir(directory) or os.listdir(directory) == []


def test_boards_are_apart(directory):
    lease = FileLeases(directory, "one").acquire(M4, Owner("c1", "/r"))
    other = FileLeases(directory, "two")
    assert other.owner(M4) is None
    other.acquire(M4, Owner("c2", "/r")).release()
    assert list(other.stale()) == []
    lease.keep_claim()
    assert list(other.stale()) == []
    assert len(list(FileLeases(directory, "one").stale())) == 1


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
@pytest.mark.parametrize("before", [None, {"firmware": "of the dead"}])
def test_death_anywhere(directory, before, torn):
    """After each death: the next look finds whole claims only, the next owner all of them."""
    leases = FileLeases(directory, "board")
    done = {"firmware": "x" * 300, "recovery": "enabled"}

    def prepare():
        if before is not None:
            lease = leases.acquire(M4, Owner("dead", "/r"))
            lease.record_claim(before)
            lease.keep_claim()

    def operation():
        prepare()
        lease = leases.acquire(M4, Owner("c1", "/r"))
        lease.record_claim(done)
        lease.record_claim({"firmware": "y"})
        lease.release()

    whole: tuple[dict[str, str], ...] = ({}, before, done, {"firmware": "y"})
    for _ in every_death(operation, torn=torn):
        assert leases.owner(M4) is None
        for lease in leases.stale():
            assert lease.claim in whole
        lease = leases.acquire(M4, Owner("c2", "/r"))
        assert lease.claim in whole
        lease.record_claim({})
        assert leases.owner(M4) == Owner("c2", "/r")
        lease.release()
        assert not os.path.isdir(directory) or os.listdir(directory) == []
