"""Proves that what the kernel refuses is an error for root, and a warning for other users."""

from __future__ import annotations

import errno
import os

import pytest

from adapters.isolation import refusals
from adapters.isolation.cgroups import Group
from adapters.isolation.limits import apply_limits
from adapters.isolation.namespaces import NamespaceSetup
from adapters.isolation.refusals import Refusals
from domain.errors import HostFault
from domain.linux_config import LinuxConfig

REFUSED = OSError(errno.EPERM, "")


def test_for_root_it_is_an_error(monkeypatch):
    monkeypatch.setattr(refusals, "privileged", lambda: True)
    with pytest.raises(HostFault, match=r"^cannot set x: .*EPERM.*; root needs y$") as caught:
        Refusals("root needs y").add("set x", REFUSED)
    assert caught.value.errno == errno.EPERM


def test_for_others_it_is_a_warning(monkeypatch):
    monkeypatch.setattr(refusals, "privileged", lambda: False)
    found = Refusals("root needs y")
    found.add("set x", REFUSED)
    assert found.warnings == ["cannot set x: Operation not permitted (EPERM)"]


def test_control_groups_limits_and_namespaces_follow_the_rule(monkeypatch, tmp_path):
    monkeypatch.setattr(refusals, "privileged", lambda: False)
    monkeypatch.setattr("adapters.isolation.cgroups.hierarchies", list)
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        group = Group(LinuxConfig(cgroup="/a"), directory)
        group.make()
    finally:
        os.close(directory)
    assert [text.partition(":")[0] for text in group.warnings] == [
        "cannot find a cgroup file system"
    ]
    assert len(apply_limits(1 << 30, LinuxConfig(oom_score_adj=5))) == 1  # there is no such process
    assert NamespaceSetup((), ()).warnings == []
