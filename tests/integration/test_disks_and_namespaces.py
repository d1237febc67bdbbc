"""Proves that reading changes nothing, wherever the reader is, and that a container's end needs no
space: its exit status is recorded on a full disk, and the container can be deleted there."""

import json
import os
import sys

import pytest

from features.backends.command_line import SOURCES
from features.steps.world import succeed
from tests.integration.disks import Disk
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")

FOREIGN = {
    "here": [],
    "another pid namespace": ["unshare", "--pid", "--fork", "--mount-proc"],
    "another time namespace": ["unshare", "--time", "--boottime", "1000000", "--fork"],
}
READ = """
import sys; sys.path.append(sys.argv[1])
from bootstrap.programs import lifecycle_for
lifecycle = lifecycle_for(sys.argv[2], sys.argv[3])
answers = set()
for _ in range(int(sys.argv[4])):
    rows = [lifecycle.state("pump"), *lifecycle.all()]
    owners = [row.owner.id if row.owner else "" for row in lifecycle.processors()]
    answers.add((*(row.status.value for row in rows), *owners))
print(sorted(answers))
"""


@pytest.fixture
def bundle(backend):
    """A bundle whose firmware prints one line, so that the container's log does not grow."""
    return backend.bundle(backend.sample("ignores all messages"), "m3-0")


@pytest.fixture
def disk(backend):
    disk = Disk(backend)
    yield disk
    backend.command("delete", "--force", "pump", within=disk.within)
    disk.close()


def start(backend, bundle, disk):
    succeed(backend.command("create", "--bundle", bundle, "pump", within=disk.within))
    succeed(backend.command("start", "pump", within=disk.within))


def state(backend, within):
    return json.loads(succeed(backend.command("state", "pump", within=within)).out)


@pytest.mark.parametrize("place", FOREIGN)
@pytest.mark.parametrize("kind", ["space", "inodes", "read-only"])
def test_reading_changes_nothing(backend, bundle, disk, place, kind):
    start(backend, bundle, disk)
    wait_until(lambda: "spinning" in backend.command("logs", "pump", within=disk.within).out)
    if kind != "read-only":
        disk.fill(kind)
    within = [*(disk.read_only if kind == "read-only" else disk.within), *FOREIGN[place]]
    before = disk.content()
    for command in ("state pump", "list", "processors"):
        outcome = backend.command(*command.split(), within=within)
        assert outcome.code == 0 and "running" in outcome.out and not outcome.err, outcome
    words = [sys.executable, "-c", READ, SOURCES, backend.config, backend.root, "1000"]
    answers = disk.run(*within[len(disk.within) :], *words)
    assert answers == b"[('running', 'running', 'pump', '')]\n"
    assert disk.content() == before


@pytest.mark.parametrize("place", FOREIGN)
def test_a_death_is_seen_from_everywhere(backend, bundle, disk, place):
    start(backend, bundle, disk)
    os.kill(state(backend, disk.within)["pid"], 9)
    within = [*disk.within, *FOREIGN[place]]
    wait_until(lambda: state(backend, within)["status"] == "stopped")
    assert state(backend, disk.within)["annotations"]["remoteproc.exit-status"] == "137"


@pytest.mark.parametrize("place", list(FOREIGN)[1:])
def test_a_signal_from_another_namespace_is_refused_and_a_stop_is_not(backend, bundle, disk, place):
    start(backend, bundle, disk)
    within = [*disk.within, *FOREIGN[place]]
    refusal = backend.command("kill", "pump", "HUP", within=within).refusal
    assert "in another pid or time namespace; run this command where" in refusal
    assert state(backend, within)["status"] == "running"
    succeed(backend.command("delete", "--force", "pump", within=within))
    assert not backend.processes()


@pytest.mark.parametrize(
    "rounds", [3, pytest.param(34, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
@pytest.mark.parametrize("kind", ["space", "inodes", "read-only"])
def test_the_end_of_a_container_needs_no_space(backend, bundle, disk, kind, rounds):
    """Its exit status is the true one, whoever reads it, and `delete --force` is quick."""
    for round_ in range(rounds):
        start(backend, bundle, disk)
        within = disk.read_only if kind == "read-only" else disk.within
        if kind != "read-only":
            disk.fill(kind)
        if round_ % 3:
            succeed(
                backend.command("kill", "pump", ["TERM", "KILL"][round_ % 3 - 1], within=within)
            )
            status = state(backend, within)["annotations"]["remoteproc.exit-status"]
            assert status == ["0", "137"][round_ % 3 - 1]
        outcome = backend.command("delete", "--force", "pump", within=within)
        assert outcome.seconds < 2
        assert not backend.processes()
        assert backend.processor("m3-0")["state"] == "offline"
        if kind == "read-only":
            assert "cannot remove container pump: Read-only file system" in outcome.refusal
            status = state(backend, within)["annotations"]["remoteproc.exit-status"]
            assert status == ["137", "0", "137"][round_ % 3]
            outcome = backend.command("delete", "pump", within=disk.within)
        assert outcome.code == 0 and not outcome.err, outcome
        assert disk.run("ls", "-A", backend.root) == b""
        disk.run("sh", "-ec", 'rm -f "$1"/fil*', "sh", disk.path)
