"""What engines' calls cost, counted: modules that a call imports, and what else it opens or lists.

Counts are the same on every machine, as times are not. `script/bench` measures the times.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from adapters.containerd import sockets
from adapters.containerd.protobuf_wire import text_field
from tests.architecture.sources import ROOT
from tests.elf_builder import elf
from tests.own_cache import own_cache
from tests.simulator import Simulator

RUNTIME, SHIM = "remoteproc-runtime", "containerd-shim-remoteproc-v1"

# The program ends by os._exit, so what it did is told right before. A supervisor, which `create`
# forks, and which has no view of other files by then, tells it on its stdout, after a zero byte.
COUNTED = """
import os, sys
sys.path += sys.argv.pop(1).split(":")
report, before, opened, caller = sys.argv.pop(1), set(sys.modules), [], os.getpid()
looks, places = ("open", "os.listdir"), dict()
class Recorder:  # finds no module, and so Python asks the next finder
    def find_spec(name, path=None, target=None):
        frame = sys._getframe(1)
        while frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = frame.f_back
        places[name] = frame.f_code.co_filename + ":" + str(frame.f_lineno)
sys.meta_path.insert(0, Recorder)
sys.addaudithook(lambda event, args: event in looks and opened.append(args[0]))
end = os._exit
def tell(code):
    others = [path for path in opened if isinstance(path, str) and ".py" not in path]
    loaded = [name + " " + places.get(name, "") for name in sorted(set(sys.modules) - before)]
    told = "\\n".join(loaded) + "\\n\\n" + "\\n".join(others)
    if os.getpid() == caller:
        with open(report, "w") as file:
            file.write(told)
    else:
        os.write(1, bytes(1) + told.encode())
    end(code)
os._exit = tell
{program}
"""
# What a bare interpreter has not loaded, and what a call may not load either.
SLOW = {"collections", "contextlib", "ctypes", "enum", "functools", "google.protobuf", "json"}
SLOW |= {"pathlib", "re", "selectors", "signal", "socket", "subprocess", "typing", "yaml", "click"}


def check_slow(loaded, unwanted=SLOW):
    """Tell of each module that takes long to import where it is imported."""
    found = [f"{name} is imported at {loaded[name]}" for name in sorted(unwanted & loaded.keys())]
    advice = "import it in the function that uses it, or do without: an engine waits for this call"
    assert not found, "\n".join([*found, advice])


def count(tmp_path, program, *arguments, code=0, **settings):
    """Run a call; return what it has imported, and what else it opened or listed.

    Of each module is told where it is imported: a file and a line.
    """
    report = tmp_path / "report"
    counted = COUNTED.format(program=(ROOT / "bin" / program).read_text())
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", counted]
    path = f"{ROOT}:{Path(click.__file__).parents[1]}"
    command += [path, str(report), *arguments]
    before, environment = own_cache(str(tmp_path))
    settings |= {"env": environment, "timeout": 20, "check": False}
    said_at = tmp_path / f"said-{len(list(tmp_path.glob('said-*')))}"
    with open(said_at, "wb") as said:  # a supervisor would keep a pipe open
        done = subprocess.run([*before, *command], stdout=said, stderr=said, **settings)
    assert done.returncode == code, said_at.read_text()
    return read_report(report.read_text())


def read_report(report):
    """Return the modules, each with its place, and the files that a process has reported."""
    modules, _, files = report.partition("\n\n")
    return dict(line.split(" ", 1) for line in modules.splitlines()), files.splitlines()


# Three more than there are.
MODULES, FILES = 50, 13


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("state", "c1"), 0),
        (("list",), 0),
        (("start", "c1"), 1),
        (("kill", "c1", "TERM"), 1),
        (("delete", "c1"), 0),
    ],
)
def test_commands(root_with_a_container, tmp_path, arguments, code):
    loaded, opened = count(
        tmp_path, RUNTIME, "--root", root_with_a_container, *arguments, code=code
    )
    assert "adapters.state.container_store" in loaded, "the command was carried out"
    check_slow(loaded)
    assert len(loaded) <= MODULES, loaded
    assert len(opened) <= FILES, opened


IDLE = "processors:\n  - {name: idle, core: none}\n"


@pytest.fixture
def bundle(tmp_path):
    """A bundle with firmware that any processor takes."""
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "rootfs" / "hello.elf").write_bytes(elf())
    config = '{"process": {"args": ["hello.elf"]}, "root": {"path": "rootfs"}}'
    (tmp_path / "config.json").write_text(config)
    return str(tmp_path)


@pytest.fixture(params=["sim", "sysfs"])
def config(request, tmp_path):
    """A configuration file of each kind of processors."""
    with contextlib.ExitStack() as stack:
        board = "board: board.yaml"
        if request.param == "sysfs":
            board = f"tree: {stack.enter_context(Simulator(board=IDLE)).root}"
        (tmp_path / "board.yaml").write_text(IDLE)
        file = tmp_path / "config.yaml"
        file.write_text(f"backend: {request.param}\n{board}\nrun-directory: run\n")
        yield str(file)


@pytest.fixture
def call(config, tmp_path):
    """Runs a command on the board."""
    options = ("--config", config, "--root", str(tmp_path / "state"))

    def call(*words):
        return count(tmp_path, RUNTIME, *options, *words, stdin=subprocess.DEVNULL)

    return call


def round_of(call, bundle, tmp_path):
    """Run a container's life; return what each call, and what the supervisor, imported and opened.

    The first round reads YAML and keeps what it says.
    """
    words = {"create": ("--bundle", bundle, "c1"), "start": ("c1",), "kill": ("c1", "TERM")}
    words["delete"] = ("c1",)
    for _ in range(2):
        for said in tmp_path.glob("said-*"):
            said.unlink()
        counted = {name: call(name, *rest) for name, rest in words.items()}
    said = "".join(path.read_text() for path in tmp_path.glob("said-*"))
    return counted | {"supervisor": read_report(said.partition("\0")[2])}


def test_a_lifecycle(call, bundle, tmp_path):
    counted = round_of(call, bundle, tmp_path)
    assert "adapters.supervisor.launch" in counted["create"][0]
    assert "domain.session" in counted["supervisor"][0], "the supervisor has started the firmware"
    for name, most in (("create", 108), ("start", 54), ("kill", 54), ("supervisor", 130)):
        loaded, _ = counted[name]
        check_slow(loaded)
        assert len(loaded) <= most, loaded
    _, opened = counted["create"]
    assert len(opened) <= 30, opened


@pytest.mark.skipif(os.geteuid() != 0, reason="control groups and namespaces need root")
def test_a_lifecycle_with_groups_and_namespaces(call, bundle, tmp_path):
    """Engines ask for both."""
    document = json.loads((tmp_path / "config.json").read_text())
    wanted = [{"type": "uts"}, {"type": "network"}]
    group = f"/remoteproc-costs-{os.getpid()}"
    document |= {"hostname": "board", "linux": {"cgroupsPath": group, "namespaces": wanted}}
    (tmp_path / "config.json").write_text(json.dumps(document))
    loaded = {name: each for name, (each, _) in round_of(call, bundle, tmp_path).items()}
    groups = "adapters.isolation.cgroups"
    assert groups in loaded["create"] and groups in loaded["delete"]
    moved = {"adapters.isolation.group_moves", "adapters.isolation.namespaces"}
    assert moved <= loaded["supervisor"].keys()
    for each in loaded.values():
        check_slow(each)


def test_a_supervisor_of_qemu(tmp_path):
    """It may import more than another one, since QEMU's own start takes longer."""
    unwanted = {"asyncio", "click", "dataclasses", "logging", "pathlib", "subprocess", "tempfile"}
    program = tmp_path / "program"
    program.write_text("import bootstrap.supervise, adapters.sim.qemu\nos._exit(0)\n")
    loaded, _ = count(tmp_path, program)
    assert {"adapters.supervisor.supervisor", "adapters.sim.qmp"} <= loaded.keys()
    check_slow(loaded, unwanted)


def test_the_shims_delete(tmp_path):
    flags = ("-namespace", "tests", "-id", "c1", "-bundle", str(tmp_path))
    loaded, opened = count(tmp_path, SHIM, *flags, "delete")
    assert "adapters.containerd.delete" in loaded
    check_slow(loaded)
    assert len(loaded) <= 27, loaded
    assert len(opened) <= 11, opened


def test_the_shims_start(tmp_path):
    """A shim of the pod serves already, so no process is left behind."""
    (tmp_path / "config.json").write_text('{"annotations": {}}')
    path = sockets.path_for(str(tmp_path), "", "tests", "c1")
    params = text_field(1, "c1") + text_field(2, "tests") + text_field(9, str(tmp_path))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(8)
        flags = ("-namespace", "tests", "-id", "c1")
        loaded, opened = count(tmp_path, SHIM, *flags, "start", cwd=tmp_path, input=params)
    assert (tmp_path / "address").read_text() == f"unix://{path}"
    check_slow(loaded)
    assert len(loaded) <= 29, loaded
    assert len(opened) <= 10, opened


def test_what_is_slow_would_be_noticed(tmp_path):
    loaded, _ = count(tmp_path, RUNTIME, "--version")
    assert {"click", "typing", "re"} <= set(loaded) & SLOW
