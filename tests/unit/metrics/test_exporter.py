"""Proves what Prometheus reads, from the real service, while containers come and go."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.metrics.collector import ProcessorCollector
from domain.errors import HostFault
from domain.run_counts import RunCounts
from tests.architecture.sources import ROOT
from tests.elf_builder import elf
from tests.integration.oci import PROGRAM
from tests.waiting import wait_until

BOARD = """\
processors:
  - {name: calm, core: none}
  - {name: wild, core: none, faults: {crash-after: 2}}
"""


class Machine:
    """The command line on a board of two processors, one of which crashes soon."""

    def __init__(self, place):
        self.place = str(place)
        os.makedirs(f"{place}/bundle/rootfs")
        (place / "bundle/rootfs/hello.elf").write_bytes(elf())
        (place / "board.yaml").write_text(BOARD)
        (place / "config.yaml").write_text("backend: sim\nboard: board.yaml\nrun-directory: run\n")
        self.command = [PROGRAM, "--config", f"{place}/config.yaml"]

    def run(self, *words):
        with open(f"{self.place}/said", "w") as said:
            done = subprocess.run([*self.command, *words], stdout=said, stderr=said, check=False)
        with open(f"{self.place}/said") as said:
            assert done.returncode == 0, said.read()

    def start(self, container, processor):
        config = {
            "process": {"args": ["hello.elf"]},
            "root": {"path": "rootfs"},
            "annotations": {"remoteproc.name": processor},
        }
        with open(f"{self.place}/bundle/config.json", "w") as file:
            json.dump(config, file)
        self.run("create", "--bundle", f"{self.place}/bundle", container)
        self.run("start", container)


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    for container in ("c1", "c2"):
        machine.run("delete", "--force", container)


@pytest.fixture
def serve(machine):
    """Starts the service with these options; it must end well."""
    started = []

    def begin(*options):
        started.append(subprocess.Popen([*machine.command, "metrics", *options]))

    yield begin
    for process in started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def read(text):
    """The samples by name and labels, without the device."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(v for k, v in sorted(sample.labels.items()) if k != "device")
            key = (sample.name, *labels)
            found[key] = sample.value
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_starts_and_crashes_are_counted(machine, serve):
    port = free_port()
    serve("--listen", f"127.0.0.1:{port}")

    def samples():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return read(answer.read().decode())
        except OSError:
            return {}

    first = wait_until(samples)
    assert first[("remoteproc_up",)] == 1
    assert first[("remoteproc_starts_total", "calm")] == 0
    assert first[("remoteproc_processor_state", "calm", "offline")] == 1
    machine.start("c1", "calm")

    def when(*key):
        """The samples once this one is 1."""
        return wait_until(lambda: found if (found := samples()).get(key) == 1 else None, 30)

    running = when("remoteproc_starts_total", "calm")
    assert running[("remoteproc_processor_state", "calm", "running")] == 1
    assert running[("remoteproc_processor_owner", "c1", "", "calm")] == 1
    assert running[("remoteproc_last_start_timestamp_seconds", "calm")] > 1e9
    machine.start("c2", "wild")
    when("remoteproc_starts_total", "wild")

    def crashes():
        return {key[2]: n for key, n in samples().items() if key[0] == "remoteproc_crashes_total"}

    assert wait_until(crashes, 30) == {"wild": 1}
    with pytest.raises(AssertionError, match="belongs to container c1"):
        machine.start("c3", "calm")
    machine.run("delete", "--force", "c3")
    when("remoteproc_refused_starts_total", "busy", "calm")
    machine.run("delete", "--force", "c1")
    when("remoteproc_ends_total", "calm")


def test_a_file_for_node_exporter(machine, serve, tmp_path):
    serve("--textfile", str(tmp_path / "remoteproc.prom"))
    wait_until((tmp_path / "remoteproc.prom").exists)
    found = read((tmp_path / "remoteproc.prom").read_text())
    assert found[("remoteproc_processor_state", "wild", "offline")] == 1
    for container, processor in (("c1", "calm"), ("c2", "wild")):
        machine.start(container, processor)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--listen", "nowhere"], "'nowhere' is no address"),
        (["--listen", "127.0.0.1:99999"], "is no address"),
        (["--listen", "127.0.0.1:" + "9" * 5000], "is no address"),
        (["--listen", "no.invalid:9817"], "cannot listen at no.invalid:9817: "),
        (["--textfile", "/none/x.prom"], "cannot write /none/x.prom: No such file"),
    ],
)
def test_wrong_options(tmp_path, options, words):
    command = Machine(tmp_path).command
    done = subprocess.run(
        [*command, "metrics", *options], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1 and words in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "Unknown error" not in done.stderr


def test_a_board_that_cannot_be_looked_at_is_down():
    def fail():
        raise HostFault("no")

    (up,) = ProcessorCollector(fail, RunCounts()).collect()
    assert (up.name, up.samples[0].value) == ("remoteproc_up", 0)


def test_the_dashboard_asks_for_what_there_is():
    dashboard = json.loads((ROOT / "examples/grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    names = set(re.findall(r"remoteproc_\w+", " ".join(asked)))
    source = (ROOT / "adapters/metrics/collector.py").read_text()
    known = set(re.findall(r'"(remoteproc_\w+)"', source))
    assert len(asked) >= 5 and {name.removesuffix("_total") for name in names} <= known
