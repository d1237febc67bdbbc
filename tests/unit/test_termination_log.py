"""Proves which file gets the reason of a failure, and that nothing but a regular file gets it."""

from __future__ import annotations

import os

import pytest

from adapters.supervisor.termination_log import write_reason
from domain.mounts import BundleMount, termination_log

DEFAULT = BundleMount("/dev/termination-log", "/host/log")
OWN_PATH = {"io.kubernetes.container.terminationMessagePath": "/why"}


@pytest.mark.parametrize(
    ("mounts", "annotations", "found"),
    [
        ([], {}, ""),
        ([DEFAULT], {}, "/host/log"),
        ([DEFAULT, DEFAULT._replace(source="/host/other")], {}, "/host/other"),
        ([DEFAULT._replace(read_only=True)], {}, ""),
        ([DEFAULT], OWN_PATH, ""),
        ([DEFAULT, BundleMount("/why", "/host/why")], OWN_PATH, "/host/why"),
        ([BundleMount("/dev", "/host/dev")], {}, ""),
    ],
)
def test_the_file_that_the_kubelet_mounts(mounts, annotations, found):
    assert termination_log(mounts, annotations) == found


def test_the_reason_replaces_what_was_there(tmp_path):
    log = tmp_path / "log"
    log.write_text("something longer than the reason\n")
    write_reason(str(log), "m4: crashed")
    assert log.read_text() == "m4: crashed\n"
    write_reason(str(log), "x" * 10_000)
    assert log.stat().st_size == 4096


@pytest.mark.parametrize("kind", ["link", "fifo", "missing", "device"])
def test_only_a_regular_file_is_written(tmp_path, kind):
    log, other = tmp_path / "log", tmp_path / "other"
    other.write_text("kept")
    if kind == "link":
        log.symlink_to(other)
    elif kind == "fifo":
        os.mkfifo(log)
    with pytest.raises(OSError):
        write_reason("/dev/full" if kind == "device" else str(log), "m4: crashed")
    assert other.read_text() == "kept"
    assert os.path.lexists(log) == (kind in ("link", "fifo"))
