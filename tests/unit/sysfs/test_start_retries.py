"""Proves when a start that the driver fails is tried again."""

from __future__ import annotations

import errno

import pytest

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.kmsg import KmsgReader
from adapters.sysfs.power import Power
from domain.errors import ProcessorFault


class Driver(Attributes):
    """Fails some starts, then starts; `after` is the state that a failure leaves."""

    def __init__(self, path, failures, after="offline"):
        super().__init__(str(path), require_sysfs=False)
        self.failures = failures
        self.after = after
        self.starts = 0

    def write(self, name, value):
        self.starts += 1
        if self.failures:
            self.failures -= 1
            super().write(name, f"{self.after}\n")
            raise OSError(errno.EIO, "")
        super().write(name, "running\n")


@pytest.fixture
def power(tree):
    place = tree.processor("remoteproc0", state="offline")

    def make(retries, failures, after="offline"):
        driver = Driver(place, failures, after)
        return Power("m4", driver, KmsgReader("/nowhere", "remoteproc0"), retries), driver

    return make


def test_a_start_that_fails_is_tried_again_and_told(power):
    switch, driver = power(2, 2)
    remarks = switch.start()
    assert driver.starts == 3 and len(remarks) == 2
    assert "EIO" in remarks[0] and remarks[0].endswith("tried again")


@pytest.mark.parametrize(("retries", "failures"), [(0, 1), (2, 3)])
def test_the_last_failure_is_the_error(power, retries, failures):
    switch, driver = power(retries, failures)
    with pytest.raises(ProcessorFault, match="EIO"):
        switch.start()
    assert driver.starts == retries + 1


def test_a_processor_that_is_not_off_is_not_started_again(power):
    switch, driver = power(5, 1, after="crashed")
    with pytest.raises(ProcessorFault, match="EIO"):
        switch.start()
    assert driver.starts == 1
