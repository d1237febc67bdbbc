"""Proves each row of `doctor`: what is judged of a host, and what to do about it."""

from __future__ import annotations

import ast
import inspect
import sys

import pytest

from domain.diagnosis import doctor, engines, hardware, software
from domain.diagnosis.doctor import diagnose
from domain.diagnosis.finding import Finding
from domain.diagnosis.hardware import processors
from domain.diagnosis.host import BoardFacts, EngineFacts, Host, ProcessorFacts

CHECKS = (engines, hardware, software)
M4 = ProcessorFacts("m4", "remoteproc0", "offline", character_device=True)
OPTIONS = dict.fromkeys(
    (
        *("REMOTEPROC", "REMOTEPROC_CDEV", "RPMSG_TTY", "RPMSG_CHAR"),
        *("DEBUG_FS", "FW_LOADER_COMPRESS"),
    ),
    "y",
)
BOARD = BoardFacts(
    kernel="6.1.0-1-arm64", options=OPTIONS, processors=(M4,), firmware_directory="/lib/firmware"
)
PACKAGES = {"click": "8.1.3", "protobuf": "3.21.12", "PyYAML": "6.0"}
HEALTHY = Host(
    BOARD,
    "0.1.0",
    packages=PACKAGES,
    run_directory="/run/remoteproc-runtime",
    engines=(EngineFacts("podman", "podman version 5.4.2"),),
)
DOCKER = EngineFacts("docker", "Docker version 26", True, "/usr/bin/shim", "0.1.0")


def board(**changes):
    return {"board": BOARD._replace(**changes)}


def m4(*others, **changes):
    return board(processors=(M4._replace(**changes), *others))


def without(option):
    return board(options={key: "y" for key in OPTIONS if key != option})


def test_a_healthy_host_has_no_warning():
    assert {finding.level for finding in diagnose(HEALTHY)} == {"ok"}
    assert all(not finding.advice for finding in diagnose(HEALTHY))


def test_podman_needs_no_protobuf():
    without_it = HEALTHY._replace(packages={**PACKAGES, "protobuf": ""})
    assert {finding.level for finding in diagnose(without_it)} == {"ok"}


ROWS = [
    ({"configuration_problem": "c.yaml:3: x"}, "fail configuration: c.yaml:3: x", "mend"),
    ({"python": (3, 9, 2)}, "fail python: 3.9.2 is too old", "3.10"),
    ({"packages": {**PACKAGES, "PyYAML": ""}}, "fail python: PyYAML is missing", "python3-yaml"),
    (
        {"packages": {**PACKAGES, "protobuf": ""}, "engines": (DOCKER,)},
        "fail python: protobuf is missing",
        "python3-protobuf",
    ),
    (
        {"packages": {**PACKAGES, "click": "8.1.2"}},
        "fail python: click 8.1.2 is older than 8.1.3",
        "newer python3-click",
    ),
    ({"bytecode_problem": "not compiled"}, "warn bytecode: not compiled", "compileall"),
    (board(kernel="5.2.9"), "fail kernel: Linux 5.2.9 is too old", "5.3"),
    (board(options=None), "warn kernel: its configuration cannot be read", "CONFIG_REMOTEPROC"),
    (without("REMOTEPROC"), "fail kernel: CONFIG_REMOTEPROC is not set", "build"),
    (without("REMOTEPROC_CDEV"), "warn kernel: CONFIG_REMOTEPROC_CDEV is not set", "killed"),
    (without("RPMSG_TTY"), "warn kernel: CONFIG_RPMSG_TTY is not set", "rpmsg"),
    (without("RPMSG_CHAR"), "warn kernel: CONFIG_RPMSG_CHAR is not set", "/dev/rpmsgN"),
    (without("DEBUG_FS"), "warn kernel: CONFIG_DEBUG_FS is not set", "trace"),
    (without("FW_LOADER_COMPRESS"), "warn kernel: CONFIG_FW_LOADER_COMPRESS", "compressed"),
    (board(processors=()), "fail processors: this board has no remote", "device tree"),
    (board(problem="cannot list"), "fail processors: cannot list", "kernel's log"),
    (m4(state="running"), "warn m4 (remoteproc0): it runs firmware that no", "replace"),
    (m4(state="attached"), "warn m4 (remoteproc0): it runs the boot loader's", "take"),
    (m4(state="detached"), "warn m4 (remoteproc0): the boot loader has started", "keep"),
    (m4(state="crashed"), "warn m4 (remoteproc0): its firmware has crashed", "echo stop"),
    (m4(state="suspended"), "warn m4 (remoteproc0): it is suspended", "resume"),
    (m4(state="dozing"), "warn m4 (remoteproc0): its state is dozing, which is unknown", "driver"),
    (m4(read_only=True), "warn m4 (remoteproc0): its driver lets nobody", "another driver"),
    (m4(writable=False), "warn m4 (remoteproc0): this user may not", "root"),
    (m4(left_by="c1"), "warn m4 (remoteproc0): offline, left by c1", "release remoteproc0"),
    (m4(character_device=False), "warn m4 (remoteproc0): there is no /dev/remoteproc0", "killed"),
    (m4(name="78000000.r5f"), "warn 78000000.r5f (remoteproc0): a core of a TI K3", "core 0"),
    (
        m4(M4._replace(device="remoteproc1")),
        "warn processors: 2 processors are named m4",
        "remoteproc0 or remoteproc1",
    ),
    (board(debugfs_problem="not there"), "warn debugfs: not there", "mount -t debugfs"),
    (board(log_problem="not there"), "warn kernel log: not there", "ten times"),
    (board(firmware_problem="read-only"), "fail firmware: read-only", "firmware_class.path="),
    (board(free=3 << 20), "warn firmware: 3 MiB are free in /lib/firmware", "64 MiB"),
    (board(leftovers=("a-b",)), "warn firmware: a-b is left in /lib/firmware", "removes it"),
    (
        board(backend="sim", simulators=("qemu-system-riscv32",)),
        "fail simulator: qemu-system-riscv32 is missing",
        "Debian: qemu-system-riscv32",
    ),
    ({"run_problem": "read-only"}, "fail run directory: read-only", "run-directory"),
    ({"engines": ()}, "warn engines: none was found", "install"),
    ({"engines": (DOCKER._replace(shim=""),)}, "fail docker: containerd-shim-rem", "its package"),
    (
        {"engines": (DOCKER._replace(shim_version=""),)},
        "fail docker: /usr/bin/shim is another program: it says no version, not 0.1.0",
        "another installer",
    ),
    ({"kubelet": True}, "warn kubernetes: containerd's configuration", "containerd.toml"),
    ({"privileged": False, "subordinate_ids": False}, "warn rootless: root has no ids", "usermod"),
    ({"privileged": False, "runtime_directory": False}, "warn rootless: XDG_RUNTIME_DIR", "log in"),
]


@pytest.mark.parametrize(("changes", "row", "advice"), ROWS, ids=[row for _, row, _ in ROWS])
def test_each_lack_is_one_row_with_what_to_do(changes, row, advice):
    bad = [f for f in diagnose(HEALTHY._replace(**changes)) if f.level != "ok"]
    assert len(bad) == 1, bad
    (found,) = bad
    assert f"{found.level} {found.subject}: {found.text}".startswith(row)
    assert advice in found.advice


def test_an_owned_processor_that_runs_is_well():
    host = HEALTHY._replace(**m4(state="running", owner="shop/pump/fw"))
    assert [tuple(f) for f in processors(host)] == [
        ("ok", "m4 (remoteproc0)", "running, container shop/pump/fw has it", "")
    ]


def test_the_right_shim_is_well():
    host = HEALTHY._replace(engines=(DOCKER,), kubelet=True, containerd_knows_us=True)
    assert {finding.level for finding in diagnose(host)} == {"ok"}


def test_simulated_processors_need_nothing_of_the_kernel():
    host = HEALTHY._replace(**board(backend="sim", kernel="", options=None, firmware_problem="x"))
    assert {finding.level for finding in diagnose(host)} == {"ok"}


def rows_that_are_not_ok():
    """The module and the lines of each call in the checks that makes a warning or a failure."""
    for module in CHECKS:
        nodes = ast.walk(ast.parse(inspect.getsource(module)))
        for call in (node for node in nodes if isinstance(node, ast.Call)):
            if ast.unparse(call.func) == "Finding" and ast.unparse(call.args[0]) != "OK":
                yield module.__name__, range(call.lineno, (call.end_lineno or call.lineno) + 1)


def test_each_row_that_is_not_ok_is_provoked_above(monkeypatch):
    made = set()

    def recorded(level, *rest):
        caller = sys._getframe(1)
        if level != "ok":
            made.add((caller.f_globals["__name__"], caller.f_lineno))
        return Finding(level, *rest)

    for module in CHECKS:
        monkeypatch.setattr(module, "Finding", recorded)
    hosts = [HEALTHY._replace(**changes) for changes, _, _ in ROWS]
    for check in doctor._CHECKS:
        levels = {found.level for host in hosts for found in check(host)}
        assert levels - {"ok"}, check
    for module, lines in rows_that_are_not_ok():
        assert any((module, line) in made for line in lines), (module, lines)


def test_each_state_and_each_option_of_the_kernel_is_provoked_above():
    hosts = [HEALTHY._replace(**changes) for changes, _, _ in ROWS]
    states = {each.state for host in hosts for each in host.board.processors}
    assert hardware._STATES.keys() <= states
    missing = {o for host in hosts for o in OPTIONS if o not in (host.board.options or OPTIONS)}
    assert software._OPTIONS.keys() <= missing
