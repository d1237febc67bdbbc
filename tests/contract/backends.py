"""The backends that the contract tests run on; a new backend gets a line here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.contract.backend_fixture import (
    BackendFixture,
    FakeBackendFixture,
    IdleBackendFixture,
    SimBackendFixture,
)
from tests.contract.sysfs_backends import KernelBackendFixture, SimfsBackendFixture

DRIVER = "/sys/bus/platform/drivers/rproc_test"

BACKENDS: Mapping[str, Callable[[Path], BackendFixture]] = {
    "fake": FakeBackendFixture,
    "sim": SimBackendFixture,
    "idle": IdleBackendFixture,
    "simfs": SimfsBackendFixture,
    "kernel": KernelBackendFixture,
}


def available(*others: str) -> list[str]:
    """Return the names of the backends that this machine has, without those in `others`.

    Only the guests of tests/unit/sysfs/test_guests.py have the kernel's.
    """
    can = {
        "simfs": os.geteuid() == 0 and os.path.exists("/dev/fuse"),
        "kernel": os.path.isdir(DRIVER),
    }
    return [name for name in BACKENDS if can.get(name, True) and name not in others]
