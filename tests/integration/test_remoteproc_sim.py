"""Proves that a mounted board behaves, and ends, as programs for the kernel's sysfs expect."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from features.backends.processes import wait_until_blocked
from tests.kernel_table import images
from tests.kernel_table import run as table
from tests.kernel_table.rows import ROWS
from tests.simulator import ATTACHED, BOARD, CHECKOUT, PROGRAM, Simulator
from tests.unit.sim.helpers import alive
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(
        os.getuid() != 0 or not os.path.exists("/dev/fuse"), reason="needs root and /dev/fuse"
    ),
]

SHELL = """
set -eu
cd "$1"
processor=sys/class/remoteproc/remoteproc0
[ "$(cat $processor/name)" = m4 ]
[ "$(cat $processor/state)" = offline ]
echo hello.elf >$processor/firmware
echo disabled >$processor/recovery
echo start >$processor/state
[ "$(cat $processor/state)" = running ]
trace=sys/kernel/debug/remoteproc/remoteproc0/trace0
until cat $trace | grep -q 'trace line 3'; do sleep 0.1; done
if echo hello.elf >$processor/firmware; then exit 3; fi 2>/dev/null
echo 2 >sys/kernel/debug/remoteproc/remoteproc0/crash
until [ "$(cat $processor/state)" = crashed ]; do sleep 0.1; done
cat $trace | grep -q 'trace line 3'
echo recover >$processor/recovery
[ "$(cat $processor/state)" = running ]
echo stop >$processor/state
[ "$(cat $processor/state)" = offline ]
if echo stop >$processor/state; then exit 4; fi 2>/dev/null
echo EIO >sys/kernel/debug/remoteproc-sim/remoteproc0/start_error
if echo start >$processor/state; then exit 5; fi 2>/dev/null
echo lived
"""


DSP = "dsp (remoteproc1)"


def read(path):
    with open(path) as file:
        return file.read()


@pytest.fixture
def simulator():
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def trace_elf(firmware):
    return f"{CHECKOUT}/firmware/build/cortex-m3/trace.elf"


def put(simulator, name, value):
    with open(f"{simulator.root}/sys/{name}", "w") as file:
        file.write(value)


def get(simulator, name):
    with open(f"{simulator.root}/sys/{name}") as file:
        return file.read().rstrip("\n")


def started(simulator, trace_elf):
    """Start a firmware; return QEMU's pid."""
    shutil.copy(trace_elf, f"{simulator.root}/lib/firmware/trace.elf")
    put(simulator, "class/remoteproc/remoteproc0/firmware", "trace.elf")
    put(simulator, "class/remoteproc/remoteproc0/state", "start")
    return int(get(simulator, "kernel/debug/remoteproc-sim/remoteproc0/pid"))


def gone(pid):
    wait_until(lambda: not alive(pid))
    return True


def mounted(root):
    with open("/proc/self/mounts") as file:
        return f" {root}/sys " in file.read()


def refused(*arguments):
    done = subprocess.run(
        [*PROGRAM, *arguments], cwd=CHECKOUT, capture_output=True, text=True, timeout=30
    )
    assert done.returncode in (1, 2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("remoteproc-sim: ")
    return line


def test_a_whole_lifecycle_by_cat_and_echo(simulator, trace_elf):
    shutil.copy(trace_elf, f"{simulator.root}/lib/firmware/hello.elf")
    done = subprocess.run(
        ["bash", "-c", SHELL, "life", simulator.root], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "lived\n"), done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_answers_as_the_table_says():
    """The same table runs against a real kernel: tests/board/test_same_answers.py."""
    with Simulator(board=BOARD + ATTACHED) as simulator:
        images.write(f"{simulator.root}/lib/firmware")
        names = {"offline": "m4", "detached": "dsp", "attached": "m7"}
        answers = dict(table.run(simulator.root, names))
        # Rows tell by the time whether a call waits: once more, if the machine stood still.
        for name, *_ in wrong(answers):
            answers |= dict(table.run(simulator.root, names, name))
    assert len(answers) == len(ROWS)
    assert wrong(answers) == []


def wrong(answers):
    """Return the answers that are not the table's, each with its row and step."""
    return [
        (row.name, step.do, step.expected_of("sim"), got)
        for row in ROWS
        for step, got in zip(row.steps, answers[row.name], strict=True)
        if got != step.expected_of("sim")
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_nothing(simulator, trace_elf, number):
    pid = started(simulator, trace_elf)
    os.unlink(f"{simulator.root}/lib/firmware/trace.elf")
    assert simulator.end(number) == (0, "")
    assert gone(pid)
    assert not mounted(simulator.root)
    assert not os.path.exists(simulator.root)


def test_a_signal_during_a_slow_start_ends_it_at_once(simulator, trace_elf):
    put(simulator, "kernel/debug/remoteproc-sim/remoteproc0/start_delay", "30")
    shutil.copy(trace_elf, f"{simulator.root}/lib/firmware/trace.elf")
    put(simulator, "class/remoteproc/remoteproc0/firmware", "trace.elf")
    with open(f"{simulator.root}/sys/class/remoteproc/remoteproc0/state", "w") as state:
        writer = subprocess.Popen(["echo", "start"], stdout=state, stderr=subprocess.DEVNULL)
    wait_until_blocked(writer.pid)
    before = time.monotonic()
    simulator.end()
    assert writer.wait(10) != 0
    assert time.monotonic() - before < 5


def test_an_unmount_from_outside_ends_it(simulator):
    subprocess.run(["umount", f"{simulator.root}/sys"], check=True)
    simulator.process.wait(10)
    assert not os.path.exists(simulator.root)


def test_qemu_ends_with_a_killed_remoteproc_sim_and_the_next_one_cleans_up(simulator, trace_elf):
    pid = started(simulator, trace_elf)
    simulator.end(signal.SIGKILL)
    assert gone(pid)
    assert mounted(simulator.root)
    with Simulator(root=simulator.root) as successor:
        assert get(successor, "class/remoteproc/remoteproc0/state") == "offline"
        os.unlink(f"{successor.root}/lib/firmware/trace.elf")
        assert successor.end() == (0, "")
    assert not os.path.exists(simulator.root)


def test_users_files_stay(simulator, trace_elf):
    started(simulator, trace_elf)
    simulator.end()
    assert os.path.exists(f"{simulator.root}/lib/firmware/trace.elf")
    with Simulator(root=simulator.root) as again:
        assert again.end()[0] == 0


def test_a_second_one_on_the_same_root_is_refused(simulator):
    line = refused("--board", "quad", "--root", simulator.root)
    assert f"in use by process {simulator.process.pid}" in line
    assert get(simulator, "class/remoteproc/remoteproc0/state") == "offline"


@pytest.mark.parametrize("root", ["/", "/proc", "/etc"])
def test_a_root_with_something_in_it(root):
    assert "is not empty" in refused("--board", "quad", "--root", root)


def test_mistakes(tmp_path):
    assert "no board is called 'nosuch'" in refused("--board", "nosuch", "--root", f"{tmp_path}/r")
    board = tmp_path / "b.yaml"
    board.write_text("processors: [{name: m4}]\n")
    assert f"{board}:1: " in refused("--board", str(board), "--root", f"{tmp_path}/r")
    assert refused("--board", "quad").endswith("'--root'; see `remoteproc-sim --help`")
    assert os.listdir(tmp_path) == ["b.yaml"]


def test_unknown_faults_are_refused(simulator):
    for name, value in (("start_error", "EWHAT"), ("start_delay", "61"), ("crash_after", "-1")):
        with pytest.raises(OSError, match="Invalid argument"):
            put(simulator, f"kernel/debug/remoteproc-sim/remoteproc0/{name}", value)


def test_a_processor_that_executes_nothing(trace_elf):
    processor, debug = "class/remoteproc/remoteproc0", "kernel/debug/remoteproc/remoteproc0"
    control = "kernel/debug/remoteproc-sim/remoteproc0"
    with Simulator(board="processors: [{name: idle, core: none}]\n") as simulator:
        assert started(simulator, trace_elf) == 0, "there is no process"
        assert get(simulator, f"{processor}/state") == "running"
        names = os.listdir(f"{simulator.root}/sys/{debug}")
        assert not [name for name in names if name.startswith("trace")]
        put(simulator, f"{processor}/recovery", "disabled")
        put(simulator, f"{processor}/coredump", "enabled")
        put(simulator, f"{debug}/crash", "1")
        wait_until(lambda: get(simulator, f"{processor}/state") == "crashed")
        put(simulator, f"{control}/end_after", "0.2")
        put(simulator, f"{processor}/recovery", "recover")
        wait_until(lambda: get(simulator, f"{processor}/state") == "offline")
        assert get(simulator, f"{control}/power") == "0"
        put(simulator, f"{control}/end_after", "0")
        put(simulator, f"{processor}/state", "start")
        put(simulator, f"{processor}/state", "stop")
        assert get(simulator, f"{processor}/state") == "offline"
        assert simulator.end() == (0, "")


HIDDEN = "import sys; sys.modules['mfusepy'] = None; from bootstrap.sim import main; main()"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev; exec "$@"', "sh", *PROGRAM],
         "modprobe fuse"),
        ([*PROGRAM[:2], HIDDEN], "pip install"),
        (["setpriv", "--bounding-set=-sys_admin", *PROGRAM], "cannot mount"),
    ],
    ids=["no /dev/fuse", "no mfusepy", "no right to mount"],
)  # fmt: skip
def test_without_fuse_it_says_what_to_do(tmp_path, argv, words):
    done = subprocess.run(
        [*argv, "--board", "quad", "--root", f"{tmp_path}/root"],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    (line,) = done.stderr.splitlines()
    assert (done.returncode, words in line) == (1, True), line
    assert os.listdir(tmp_path) == []


def test_the_doctor_sees_a_simulated_kernel_and_writes_nothing(simulator, tmp_path):
    processors = f"{simulator.root}/sys/class/remoteproc"

    def values():
        return {
            (device, name): read(f"{processors}/{device}/{name}")
            for device in os.listdir(processors)
            for name in ("state", "firmware", "recovery", "coredump")
        }

    before = values()
    (tmp_path / "config.yaml").write_text(f"tree: {simulator.root}\nrun-directory: run\n")
    code = "from bootstrap.oci import main; main()"
    command = [sys.executable, "-c", code, "--config", tmp_path / "config.yaml", "doctor", "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    rows = {(row["subject"], row["level"], row["text"]) for row in json.loads(done.stdout)}
    assert ("m4 (remoteproc0)", "ok", "free") in rows
    states = [text for subject, level, text in rows if (subject, level) == (DSP, "warn")]
    assert "the boot loader has started it, and the kernel does not watch it" in states
    assert ("kernel log", "ok", "readable") in rows and ("debugfs", "ok", "mounted") in rows
    assert done.returncode == int("fail" in {level for _, level, _ in rows})
    assert values() == before and not (tmp_path / "run").exists()


def test_firmware_that_runs_already_is_replaced_only_if_asked_for_and_allowed(simulator, tmp_path):
    processor = f"{simulator.root}/sys/class/remoteproc/remoteproc0"
    firmware = f"{CHECKOUT}/firmware/build/cortex-m3"
    shutil.copy(f"{firmware}/spin.elf", f"{simulator.root}/lib/firmware")
    for name, value in (("firmware", "spin.elf"), ("state", "start")):
        with open(f"{processor}/{name}", "w") as file:
            file.write(value)
    (tmp_path / "bundle/rootfs").mkdir(parents=True)
    shutil.copy(f"{firmware}/spin.elf", tmp_path / "bundle/rootfs")
    annotations = {"remoteproc.name": "m4"}
    config = f"tree: {simulator.root}\nrun-directory: run\n"

    def run(*words, code=0):
        text = json.dumps(
            {
                "ociVersion": "1.1.0",
                "process": {"args": ["spin.elf"], "cwd": "/"},
                "root": {"path": "rootfs"},
                "annotations": annotations,
            }
        )
        (tmp_path / "bundle/config.json").write_text(text)
        (tmp_path / "config.yaml").write_text(config)
        main = "from bootstrap.oci import main; main()"
        command = [sys.executable, "-c", main, "--config", tmp_path / "config.yaml", *words]
        with open(tmp_path / "said", "w+") as said:
            done = subprocess.run(command, cwd=CHECKOUT, stdout=said, stderr=said, timeout=60)
            said.seek(0)
            text = said.read()
        assert done.returncode == code, text
        return text

    def create(code=0):
        return run("create", "--bundle", tmp_path / "bundle", "c", code=code)

    create()
    assert "remoteproc.attached = replace" in run("start", "c", code=1)
    run("delete", "--force", "c")
    annotations["remoteproc.attached"] = "replace"
    assert "replace" in create(code=1), "the configuration does not allow it"
    config += "processors: {m4: {annotations: {attached: [replace]}}}\n"
    create()
    run("start", "c")
    assert '"status": "running"' in run("state", "c")
    assert "remoteproc-runtime/" in read(f"{processor}/firmware")
    run("delete", "--force", "c")
    assert read(f"{processor}/state") == "offline\n"
    assert read(f"{processor}/firmware") == "spin.elf\n"
