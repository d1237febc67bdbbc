"""Proves that refused starts are counted while somebody counts, and that nobody waits for it."""

from __future__ import annotations

import os
import time

import pytest

from adapters.metrics.refusal_socket import RefusalSocket
from adapters.state.leases import FileLeases
from adapters.state.refusals import RefusalTeller
from domain.errors import Busy, FirmwareUnfit, HostFault, ProcessorFault
from domain.run_counts import RunCounts, refusal_kind


def leases_of(directory, board="board"):
    return FileLeases(f"{directory}/owners", board)


class Service:
    def __init__(self, directory):
        self.counts = RunCounts()
        self.said: list[str] = []
        self.socket = RefusalSocket(leases_of(directory), self.counts, self.said.append)
        self.socket.open()

    def refused(self, device="remoteproc0"):
        self.socket.look()
        return self.counts.by_device[device].refused


@pytest.fixture
def services(tmp_path):
    made = []

    def make():
        made.append(Service(tmp_path))
        return made[-1]

    yield make
    for service in made:
        service.socket.close()
    assert os.listdir(tmp_path) == []


@pytest.fixture
def teller(tmp_path):
    return RefusalTeller(leases_of(tmp_path))


def test_refusals_are_counted_by_kind_for_each_processor_of_the_board(tmp_path, services, teller):
    service = services()
    for error in (Busy("x"), FirmwareUnfit("x"), Busy("x")):
        teller.tell("remoteproc0", error)
    teller.tell("remoteproc1", ProcessorFault("x"))
    RefusalTeller(leases_of(tmp_path, "another")).tell("remoteproc0", Busy("x"))
    assert service.refused() == {"busy": 2, "firmware-unfit": 1}
    assert service.refused("remoteproc1") == {"processor-fault": 1}


def test_nobody_waits_for_a_service_that_is_behind(services, teller):
    service = services()
    begun = time.monotonic()
    for _ in range(2000):
        teller.tell("remoteproc0", Busy("x"))
    assert time.monotonic() - begun < 30, "a sender that waits would wait for ever"
    assert 1 <= service.refused()["busy"] <= 2000


def test_without_a_service_there_is_nothing(tmp_path, teller):
    teller.tell("remoteproc0", Busy("x"))
    assert os.listdir(tmp_path) == []


def test_a_killed_service_hears_again_when_it_is_back(services, teller):
    killed = services()
    killed.socket._socket.close()
    teller.tell("remoteproc0", Busy("x"))
    service = services()
    teller.tell("remoteproc0", Busy("x"))
    assert service.refused() == {"busy": 1} and service.said == []


def test_the_first_of_two_services_counts(services, teller):
    first, second = services(), services()
    teller.tell("remoteproc0", Busy("x"))
    assert first.refused() == {"busy": 1}
    assert "another service counts" in second.said[0]
    second.socket.close()
    teller.tell("remoteproc0", Busy("x"))
    assert first.refused() == {"busy": 2}


def test_a_run_directory_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "refusals").mkdir()
    with pytest.raises(HostFault, match=r"cannot listen at .*/refusals: Is a directory"):
        Service(tmp_path)


def test_kinds_are_few():
    assert refusal_kind("HostFault") == "host-fault"
    for name in ("", "x", "os", "reason", "Exception", "\n"):
        assert refusal_kind(name) == "other"
