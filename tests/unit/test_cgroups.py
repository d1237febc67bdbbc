"""Proves how control group paths and limits are translated; groups themselves need root."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.isolation.cgroup_limits import v2_settings
from adapters.isolation.cgroups import Group, remove_recorded
from adapters.isolation.hierarchies import Hierarchy, directory_of
from domain.errors import InvalidRequest
from domain.linux_config import LinuxConfig


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/a/b", "/a/b"),
        ("a/./b//", "/a/b"),
        ("machine.slice:libpod:123", "/machine.slice/libpod-123.scope"),
        ("a-b-c.slice:p:n", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope"),
        ("-.slice:p:n", "/p-n.scope"),
        ("system.slice::n", "/system.slice/n.scope"),
        ("user.slice:p:n.slice", "/user.slice/n.slice"),
    ],
)
def test_paths(given, expected):
    assert directory_of(given) == expected


@pytest.mark.parametrize(
    "path",
    [
        *("..", "/a/../b", "a:b", "a:b:c:d", "x.slice:p:../../n"),
        *("a" * 4096, "/a" * 65, f"{'a-' * 64}b.slice:p:n"),
    ],
)
def test_paths_that_are_refused(path):
    with pytest.raises(InvalidRequest):
        directory_of(path)


def test_a_long_slice_is_refused_before_its_levels_take_memory():
    with pytest.raises(InvalidRequest, match="60009 characters, over 4095"):
        directory_of(f"{'a-' * 30_000}b.slice:p:n"[:60_009])


@given(st.text())
def test_no_path_leads_out(path):
    try:
        found = directory_of(path)
    except InvalidRequest:
        return
    assert found.startswith("/") and ".." not in found.split("/")


@pytest.mark.parametrize(
    ("limits", "files"),
    [
        ({"memory.limit": 5}, {"memory.max": "5"}),
        ({"memory.limit": -1}, {"memory.max": "max"}),
        (
            {"memory.limit": 5, "memory.swap": 7},
            {"memory.max": "5", "memory.swap.max": "2"},
        ),
        ({"memory.swap": -1}, {"memory.swap.max": "max"}),
        ({"cpu.shares": 2}, {"cpu.weight": "1"}),
        ({"cpu.shares": 262144}, {"cpu.weight": "10000"}),
        ({"cpu.shares": 1024}, {"cpu.weight": "39"}),
        ({"cpu.quota": 5000, "cpu.period": 10000}, {"cpu.max": "5000 10000"}),
        ({"cpu.quota": -1}, {"cpu.max": "max 100000"}),
        ({"cpu.cpus": "0-1"}, {"cpuset.cpus": "0-1"}),
        ({"pids.limit": -1}, {"pids.max": "max"}),
    ],
)
def test_limits_in_the_words_of_version_2(limits, files):
    assert dict(v2_settings(limits).values()) == files


def test_a_parent_that_the_end_of_another_container_removes_meanwhile_is_made_again(
    tmp_path, monkeypatch
):
    places = {name: tmp_path / name for name in ("groups", "first", "second")}
    for place in places.values():
        place.mkdir()
    mounted = [Hierarchy(str(places["groups"]), frozenset(), False)]
    monkeypatch.setattr("adapters.isolation.cgroups.hierarchies", lambda: mounted)
    directories = {name: os.open(places[name], os.O_RDONLY) for name in ("first", "second")}
    groups = {
        name: Group(LinuxConfig(cgroup=f"/parent/{name}"), directory)
        for name, directory in directories.items()
    }
    groups["first"].make()
    real = os.mkdir
    tried: list[str] = []

    def mkdir(path, mode):
        if path.endswith("/second") and not tried:
            remove_recorded(str(places["first"]), 0.0)
            tried.append(path)
        real(path, mode)

    monkeypatch.setattr(os, "mkdir", mkdir)
    groups["second"].make()
    for directory in directories.values():
        os.close(directory)
    assert tried and list(groups["second"].usable) == mounted
    assert os.listdir(places["groups"] / "parent") == ["second"]
    remove_recorded(str(places["second"]), 0.0)
    assert os.listdir(places["groups"]) == [], "the parent was recorded, too"
