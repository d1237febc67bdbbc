"""The contract of domain.ports.Leases and Lease, over every adapter of it."""

from __future__ import annotations

import os
import threading

import pytest

from adapters.state.leases import FileLeases
from domain.container import Owner, Refusal
from domain.errors import Busy, HostFault
from domain.ports import Lease
from tests.contract.children import child, kill
from tests.fakes.leases import MemoryLeases

M4, M7 = "remoteproc0", "remoteproc1"
MINE, THEIRS = Owner("mine", "/run/a"), Owner("theirs", "/run/b")


class Memory:
    def __init__(self):
        self.leases = self.other = MemoryLeases()

    def dead_owner(self, device, owner, claim):
        lease = self.leases.acquire(device, owner)
        if claim is not None:
            lease.record_claim(claim)
        self.leases.owner_died(owner.id)

    def left(self):
        return [*self.leases.held, *self.leases.left_behind]


class Files:
    def __init__(self, directory):
        self.directory = directory
        self.leases = FileLeases(directory, "board")
        self.other = FileLeases(directory, "board")

    def dead_owner(self, device, owner, claim):
        def own(ready):
            lease = FileLeases(self.directory, "board").acquire(device, owner)
            if claim is not None:
                lease.record_claim(claim)
            ready()

        with child(own) as pid:
            assert self.leases.owner(device) == owner
            kill(pid)

    def left(self):
        return os.listdir(self.directory) if os.path.isdir(self.directory) else []


@pytest.fixture(params=["memory", "files"])
def place(request, tmp_path):
    return Memory() if request.param == "memory" else Files(str(tmp_path / "owners"))


def test_nobody_owns_anything_at_first(place):
    assert place.leases.owner(M4) is None
    assert list(place.leases.stale()) == []
    assert place.left() == []


def test_an_owner_is_known_until_it_gives_the_right_up(place):
    lease = place.leases.acquire(M4, MINE)
    assert (lease.device, lease.owner, dict(lease.claim)) == (M4, MINE, {})
    assert place.other.owner(M4) == MINE
    assert place.other.owner(M7) is None
    lease.release()
    assert place.other.owner(M4) is None
    assert place.left() == []
    lease.release()


def test_a_second_owner_is_told_whose_it_is(place):
    lease = place.leases.acquire(M4, MINE)
    lease.record_claim({"firmware": "x"})
    with pytest.raises(Busy, match="mine"):
        place.other.acquire(M4, THEIRS)
    assert place.other.owner(M4) == MINE
    assert lease.claim == {"firmware": "x"}
    place.other.acquire(M7, THEIRS).release()
    lease.release()
    place.other.acquire(M4, THEIRS).release()


def test_a_second_owner_is_told_names_that_people_know(place):
    holder = Owner("4be2" * 16, "/run/a", "shop/board/left")
    lease = place.leases.acquire(M4, holder)
    assert place.other.owner(M4) == holder
    with pytest.raises(Busy) as refused:
        place.other.acquire(M4, THEIRS, "m4")
    who = "shop/board/left (4be24be24be2)"
    assert refused.value.message == f"processor m4 belongs to container {who}"
    lease.release()


def test_closing_again_does_not_take_the_successors_right(place):
    lease = place.leases.acquire(M4, MINE)
    lease.release()
    theirs = place.other.acquire(M4, THEIRS)
    lease.release()
    assert place.leases.owner(M4) == THEIRS
    theirs.release()


def test_the_living_are_not_abandoned(place):
    lease = place.leases.acquire(M4, MINE)
    lease.record_claim({"firmware": "x"})
    assert list(place.other.stale()) == []
    lease.release()


@pytest.mark.parametrize("claim", [None, {}, {"firmware": "x", "recovery": "enabled"}])
def test_what_a_dead_owner_left_is_found_and_closed(place, claim):
    place.dead_owner(M4, THEIRS, claim)
    assert place.leases.owner(M4) is None
    for lease in place.leases.stale():
        assert (lease.device, lease.owner, dict(lease.claim)) == (M4, THEIRS, claim or {})
        with pytest.raises(Busy):
            place.other.acquire(M4, MINE)
        lease.release()
    assert list(place.leases.stale()) == []
    assert place.left() == []


def test_what_is_not_closed_is_found_again(place):
    place.dead_owner(M4, THEIRS, {"firmware": "x"})
    for _ in range(3):
        assert [dict(lease.claim) for lease in place.leases.stale()] == [{"firmware": "x"}]
    assert len(place.left()) == 1


def test_a_walk_that_is_broken_off_keeps_nothing(place):
    place.dead_owner(M4, THEIRS, {"firmware": "x"})
    walk = place.leases.stale()
    next(walk)
    walk.close()
    place.other.acquire(M4, MINE).release()


def test_all_the_dead_are_found(place):
    place.dead_owner(M7, THEIRS, {"firmware": "y"})
    place.dead_owner(M4, MINE, {"firmware": "x"})
    living = place.leases.acquire("remoteproc2", MINE)
    found = {lease.device: lease.owner for lease in place.leases.stale()}
    assert found == {M4: MINE, M7: THEIRS}
    living.release()


def test_a_successor_hears_what_is_to_be_undone(place):
    place.dead_owner(M4, THEIRS, {"firmware": "x"})
    lease = place.leases.acquire(M4, MINE)
    assert (lease.owner, dict(lease.claim)) == (THEIRS, {"firmware": "x"})
    assert place.other.owner(M4) == THEIRS, "whose claim it is, as long as it is not undone"
    assert list(place.other.stale()) == []
    lease.record_claim({})
    assert place.other.owner(M4) == lease.owner == MINE
    assert place.other.left(M4) is None
    lease.release()


def test_a_successor_that_cannot_undo_leaves_the_claim_to_whom_it_was(place):
    place.dead_owner(M4, THEIRS, {"firmware": "x"})
    place.leases.acquire(M4, MINE).keep_claim()
    assert place.other.owner(M4) is None
    assert place.other.left(M4) == (THEIRS, None)


def test_a_refusal_is_kept_until_the_claim_is_undone(place):
    place.dead_owner(M4, THEIRS, {"firmware": "x"})
    refusal = Refusal(2, 1700000000.5, "cannot stop: EBUSY")
    for lease in place.leases.stale():
        lease.record_refusal(refusal)
    assert place.other.left(M4) == (THEIRS, refusal)
    for lease in place.other.stale():
        assert lease.refusal == refusal
        lease.record_claim({"firmware": "y"})
        assert lease.refusal is None
        lease.release()
    assert place.left() == []


def test_a_right_that_is_left_is_abandoned(place):
    lease = place.leases.acquire(M4, MINE)
    lease.record_claim({"firmware": "x"})
    lease.keep_claim()
    assert [dict(lease.claim) for lease in place.other.stale()] == [{"firmware": "x"}]


def test_what_an_owner_left_that_died_before_it_had_recorded_itself_is_removed(tmp_path):
    place = Files(str(tmp_path / "owners"))
    lease = place.leases.acquire(M4, MINE)
    os.truncate(f"{place.directory}/board:{M4}", 0)
    assert list(place.leases.stale()) == [] and len(place.left()) == 1, "the owner lives"
    lease.keep_claim()
    assert list(place.leases.stale()) == [] and place.left() == []


def test_a_lease_that_cannot_be_recorded_is_not_held(tmp_path, monkeypatch):
    place = Files(str(tmp_path / "owners"))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(HostFault, match="ENOSPC"):
            place.leases.acquire(M4, MINE)
    place.other.acquire(M4, THEIRS).release()
    assert place.left() == []


def test_of_many_takers_exactly_one_wins(place):
    for _ in range(5):
        gate = threading.Barrier(8)
        won: list[Lease] = []
        lost: list[str] = []

        def take(number, gate=gate, won=won, lost=lost):
            gate.wait()
            try:
                won.append(place.leases.acquire(M4, Owner(str(number), "")))
            except Busy:
                lost.append(number)

        threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, 7)
        assert place.other.owner(M4) == won[0].owner
        won[0].release()
