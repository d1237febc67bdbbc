"""Proves what `doctor` sees of the software, the engines and the users."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, cast

import pytest

from adapters.survey import engines, software
from adapters.survey.survey import HostSurvey
from domain.diagnosis.host import SHIM, BoardFacts, EngineFacts, ProcessorFacts
from domain.errors import InvalidRequest
from tests.fakes.board import FakeBoard
from tests.fakes.leases import MemoryLeases
from tests.waiting import wait_until


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_no_engine(tmp_path):
    assert engines.engines(str(tmp_path)) == ()


def test_an_engine_tells_its_version(tmp_path):
    program(tmp_path / "podman", "echo podman version 5.4.2")
    assert engines.engines(str(tmp_path)) == (EngineFacts("podman", "podman version 5.4.2"),)


@pytest.mark.parametrize("text", ["exit 1", "exec true", "printf '\\377\\n'"])
def test_an_engine_that_tells_nothing_is_shown_too(tmp_path, text):
    program(tmp_path / "podman", text)
    assert engines.engines(str(tmp_path))[0].version in ("", "\ufffd")


def test_the_shim_for_docker_is_looked_for_in_containerds_path(tmp_path):
    program(tmp_path / "docker", "echo Docker version 26")
    shim = tmp_path / "daemon" / SHIM
    program(shim, f"printf '{SHIM}:\\n  Version: 0.0.9\\n'")
    (tmp_path / "daemon/containerd").symlink_to("/bin/sleep")
    path = {"PATH": f"{tmp_path}/daemon:/usr/bin:/bin"}
    daemon = subprocess.Popen([tmp_path / "daemon/containerd", "600"], env=path)
    try:
        proc = tmp_path / "proc" / str(daemon.pid)
        proc.parent.mkdir()
        proc.symlink_to(f"/proc/{daemon.pid}")
        wait_until(lambda: (proc / "comm").read_text() == "containerd\n")
        (found,) = engines.engines(str(tmp_path), str(tmp_path / "proc"))
    finally:
        daemon.kill()
        daemon.wait()
    assert (found.shim, found.shim_version) == (str(shim), "0.0.9")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("runtime_type = 'io.containerd.remoteproc.v1'\npod_annotations = ['remoteproc.*']", True),
        ("runtime_type = 'io.containerd.remoteproc.v1'", False),
        ("pod_annotations = ['remoteproc.*']", False),
    ],
)
def test_containerds_configuration(tmp_path, text, known):
    assert not engines.containerd_knows_us(str(tmp_path))
    (tmp_path / "containerd").mkdir()
    (tmp_path / "containerd/config.toml").write_text(text)
    assert engines.containerd_knows_us(str(tmp_path)) is known


def test_subordinate_ids(tmp_path):
    (tmp_path / "subuid").write_text("anna:100000:65536\n")
    assert not software.subordinate_ids("anna", 1000, str(tmp_path))
    (tmp_path / "subgid").write_text("1000:100000:65536\n")
    assert software.subordinate_ids("anna", 1000, str(tmp_path))
    assert not software.subordinate_ids("ann", 100, str(tmp_path))


def test_packages():
    found = software.packages()
    assert set(found) == {"click", "protobuf", "PyYAML"} and all(found.values())


def test_bytecode(tmp_path, monkeypatch):
    for name in ("domain/container.py", "adapters/oci/fast_args.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("x = 1\n")
    assert software.bytecode_problem(str(tmp_path)) == ""  # the next start compiles
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert "are not compiled, and cannot be" in software.bytecode_problem(str(tmp_path))
    subprocess.run([sys.executable, "-m", "compileall", "-q", tmp_path], check=True)
    assert software.bytecode_problem(str(tmp_path)) == ""


class Board(FakeBoard):
    def facts(self):
        return BoardFacts(processors=(ProcessorFacts("m4", "remoteproc0", "offline"),))


def test_this_host(tmp_path):
    host = HostSurvey(cast(Any, Board), MemoryLeases(), f"{tmp_path}/run/deeper").host()
    assert host.python == sys.version_info[:3] and host.run_problem == ""
    assert [each.name for each in host.board.processors] == ["m4"]
    assert not os.path.exists(f"{tmp_path}/run"), "nothing is made"


def test_a_board_with_a_mistake_is_a_problem_and_no_error(tmp_path):
    def board():
        raise InvalidRequest("no such board")

    (tmp_path / "file").touch()
    host = HostSurvey(board, MemoryLeases(), f"{tmp_path}/file/run").host()
    assert host.board.problem == "no such board"
    assert host.run_problem.startswith(f"{tmp_path}/file: ") or "no directory" in host.run_problem
