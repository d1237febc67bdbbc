"""Proves which lines of the kernel's log tell a crash that changes no state."""

from __future__ import annotations

import os

import pytest

from adapters.sysfs.kmsg import KmsgReader

NAME = "78000000.r5f"


@pytest.mark.parametrize(
    ("line", "crashed"),
    [
        (f"platform {NAME}: K3 R5F rproc {NAME} crashed", True),
        (f"k3-dsp-rproc {NAME}: K3 DSP rproc {NAME} crashed", True),
        (f"k3-m4-rproc {NAME}: K3 rproc {NAME} crashed", True),
        ("platform 178000000.r5f: K3 R5F rproc 178000000.r5f crashed", False),
        (f"platform {NAME}: received echo reply from {NAME}", False),
        (f"usb 1-1: rproc {NAME} crashed", False),
    ],
)
def test_only_the_drivers_own_line_about_the_processor_counts(line, crashed):
    reading, writing = os.pipe2(os.O_DIRECT | os.O_NONBLOCK | os.O_CLOEXEC)
    reader = KmsgReader("/nowhere", "remoteproc0", NAME)
    reader._descriptor = reading
    os.write(writing, f"3,1,1,-;{line}\n SUBSYSTEM=platform\n".encode())
    reader.collect()
    assert bool(reader.logged_only) == crashed
    reader.close()
    os.close(writing)
