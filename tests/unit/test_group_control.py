"""Proves which files of version 2 are read and written, on a machine that may have version 1."""

from __future__ import annotations

import os
from typing import Any, cast

import pytest

from adapters.containerd.stats import as_v1, as_v2
from adapters.isolation import group_control, group_usage
from adapters.isolation.hierarchies import Hierarchy
from domain.container import FirmwareContainer
from domain.errors import HostFault
from domain.linux_config import LinuxConfig
from domain.usage import Amount


@pytest.fixture
def group(tmp_path, monkeypatch):
    mounted = [Hierarchy(str(tmp_path), frozenset(), True)]
    for module in (group_control, group_usage):
        monkeypatch.setattr(module, "hierarchies", lambda: mounted)
    directory = tmp_path / "a"
    directory.mkdir()
    for name in ("memory.max", "memory.swap.max", "cpu.max", "pids.max"):
        (directory / name).write_text("max\n")
    return directory


CONTAINER = FirmwareContainer(
    "c1", "", "", "", None, {}, 0.0, linux_config=LinuxConfig(cgroup="/a")
)


def update(**limits):
    given = {name.replace("_", ".", 1): value for name, value in limits.items()}
    group_control.GroupControl().update(CONTAINER, given)


def test_a_limit_of_memory_and_swap_counts_from_the_memory_limit_that_there_is(group):
    update(memory_limit=400)
    update(memory_swap=600)
    assert (group / "memory.max").read_text().strip() == "400"
    assert (group / "memory.swap.max").read_text().strip() == "200"


def test_what_fails_in_the_middle_is_undone(group):
    (group / "pids.max").unlink()
    (group / "pids.max").mkdir()
    with pytest.raises(HostFault, match=r"cannot set pids.limit to 7 in .*pids.max"):
        update(memory_limit=400, pids_limit=7)
    assert (group / "memory.max").read_text().strip() == "max"


def test_no_limit_of_memory_means_none_of_swap(group):
    update(memory_limit=400, memory_swap=600)
    update(memory_limit=-1)
    assert (group / "memory.max").read_text().strip() == "max"
    assert (group / "memory.swap.max").read_text().strip() == "max"


def test_usage_is_what_the_files_say(group):
    (group / "memory.current").write_text("5000\n")
    (group / "memory.peak").write_text("6000\n")
    (group / "memory.stat").write_text("anon 3000\ninactive_file 1000\n")
    (group / "memory.events").write_text("low 0\nmax 4\noom 2\noom_kill 2\n")
    (group / "cpu.stat").write_text("usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\n")
    (group / "pids.current").write_text("3\n")
    update(memory_limit=400)
    usage = group_control.GroupControl().usage(CONTAINER)
    assert usage.memory == Amount(5000, 6000, 400)
    assert usage.memory_facts == {"anon": 3000, "inactive_file": 1000}
    assert (usage.cpu, usage.cpu_user, usage.throttled) == (30_000, 20_000, (5, 0, 0))
    assert usage.processes == Amount(3, None, None) and usage.oom_kills == 2
    message: Any = as_v2(usage)
    assert (message.memory.usage, message.memory.inactive_file) == (5000, 1000)
    assert (message.memory.usage_limit, message.memory.max_usage) == (400, 6000)
    words = group_control.GroupControl().out_of_memory(CONTAINER)
    assert words == "the kernel killed it: out of memory, the container's limit is 400 bytes"


def test_a_container_without_a_group_uses_what_its_processes_use():
    alone = CONTAINER._replace(linux_config=LinuxConfig(), pid=os.getpid())
    usage = group_control.GroupControl().usage(alone)
    assert usage.memory.now > 1 << 20 and usage.cpu > 0 and usage.processes.now >= 1
    first, second = cast(Any, as_v1(usage)), cast(Any, as_v2(usage))
    assert first.memory.usage.limit == second.memory.usage_limit == (1 << 64) - 1
    assert group_control.GroupControl().out_of_memory(alone) == ""
