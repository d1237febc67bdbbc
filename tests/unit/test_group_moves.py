"""Proves how a process gets into control groups, with groups of this machine. As root."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress

import pytest

from adapters.isolation import group_moves
from adapters.isolation.hierarchies import Hierarchy, hierarchies
from domain.errors import HostFault
from tests.sandbox import in_child
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="control groups need root")


@contextmanager
def group_in_each():
    """Make a group in each hierarchy that lets processes in at once; yield these, and its path."""
    path = f"/remoteproc-moves-{os.getpid()}"
    usable = [each for each in hierarchies() if "cpuset" not in each.controllers]
    for each in usable:
        os.mkdir(each.point + path)
    try:
        yield usable, path
    finally:
        wait_until(lambda: all(removed(each.point + path) for each in usable))


def removed(path):
    """Remove a group, as soon as the processes that were in it are gone; return whether it is."""
    with suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def groups():
    """Return the lines of the groups of this process."""
    with open("/proc/self/cgroup") as file:
        return sorted(file.read().splitlines())


def test_a_process_moves_itself_into_all_groups():
    with group_in_each() as (usable, path):

        def work():
            warnings = group_moves.enter_groups(usable, path)
            return warnings, sum(line.endswith(path) for line in groups())

        assert in_child(work) == ([], len(usable))


def test_a_group_that_is_not_there_is_named():
    missing = Hierarchy("/sys/fs/cgroup/none", frozenset(), unified=False)
    with pytest.raises(HostFault, match="cannot enter control group /sys/fs/cgroup/none/a: "):
        group_moves.enter_groups([missing], "/a")


def test_who_expects_a_move_stays_where_it_is():
    before = groups()

    def work():
        group_moves.stay(group_moves.version_2_mount() or "/sys/fs/cgroup/pids")
        return groups()

    assert in_child(work) == before


def test_a_group_without_this_process_is_not_entered(monkeypatch):
    """Where mounts show other groups than /proc tells."""
    with group_in_each() as (usable, path):
        monkeypatch.setattr(group_moves, "_own_group", lambda: path)
        before = groups()
        for hierarchy in usable:
            group_moves.stay(hierarchy.point)
        assert groups() == before
