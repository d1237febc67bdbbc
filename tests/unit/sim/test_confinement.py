"""A program in QEMU's place, as firmware could make of QEMU, reaches nothing of the host."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest

from adapters.sim.qemu_users import DEFAULT_IDS, QemuUsers
from domain.annotations import ProcessorOptions
from domain.errors import HostFault
from domain.processor import CRASHED
from tests.unit.sim.helpers import ended, follow, run

FIRST, LAST = DEFAULT_IDS


@pytest.fixture
def host(tmp_path):
    """What the intruder looks for: a file, a process, a port and an abstract socket."""
    (tmp_path / "secret").write_text("of the host")
    (tmp_path / "secret").chmod(0o666)
    with socket.create_server(("127.0.0.1", 0)) as network, socket.socket(socket.AF_UNIX) as local:
        name = f"intruder-{os.getpid()}"
        local.bind(f"\0{name}")
        local.listen()
        yield {
            "HOST_FILE": f'"{tmp_path}/secret"',
            "HOST_PID": os.getpid(),
            "PORT": network.getsockname()[1],
            "ABSTRACT": f'"{name}"',
        }


@pytest.fixture
def put_intruder(host, tmp_path, monkeypatch):
    """Put the program in QEMU's place."""

    def put(*flags):
        program = tmp_path / "qemu" / "bin" / "qemu-system-arm"
        program.parent.mkdir(parents=True)
        source = os.path.join(os.path.dirname(__file__), "intruder.c")
        flags += tuple(f"-D{name}={value}" for name, value in host.items())
        subprocess.run(["gcc", "-Wall", "-Werror", *flags, "-o", program, source], check=True)
        monkeypatch.setenv("PATH", str(program.parent))

    return put


def lines_of(processor):
    output, _ = follow(processor, lambda output, _: b"END\n" in output)
    pairs = (line.partition(": ") for line in output.decode().splitlines() if ": " in line)
    return {name: found for name, _, found in pairs}


def test_a_crash_of_the_program_is_one_though_it_is_the_first_of_its_namespace(
    opened, image, put_intruder
):
    put_intruder("-DCRASH")
    processor = opened()
    run(processor, image("hello"))
    assert follow(processor, ended)[1] == CRASHED
    assert processor.firmware_exit().reason == "the simulator (QEMU) was killed by signal 11"


def test_it_reaches_nothing(opened, image, put_intruder):
    put_intruder()
    processor = opened()
    run(processor, image("hello"))
    found = lines_of(processor)
    users = found.pop("users").split()
    assert len(set(users + found.pop("groups").split())) == 1, "no other id is left"
    assert FIRST <= int(users[0]) <= LAST
    descriptors = [word for word in found.pop("descriptors").split() if "->" in word]
    kinds = {link.partition("->")[2].split(":")[0] for link in descriptors}
    assert kinds == {"/dev/null", "pipe", "socket", "/memfd", "/proc/self/fd"}
    root = {link.partition("->")[0]: link.partition("->")[2] for link in found.pop("root").split()}
    assert root.pop("files") == root.pop("proc") == "", (
        "two directories, and links into one of them"
    )
    assert all(target.startswith("files/") for target in root.values())
    assert found == {
        "further groups": "0",
        "capabilities": "0",
        "bounding set": "0",
        "no_new_privs": "1",
        "seccomp": "2",
        "environment": "0",
        "parent": "0",
        "open the host's file": "ENOENT",
        "open /etc/passwd": "ENOENT",
        "climb out": "ENOENT",
        "make a file": "EROFS",
        "make a directory": "EROFS",
        "make a device": "EROFS",
        "open /proc/self/mem": "ENOENT",
        "its files": "empty",
        "largest file": str(64 << 20),
        "kill the host's process": "ESRCH",
        "trace the host's process": "EPERM",
        "read the host's process": "EPERM",
        "open a pid": "ESRCH",
        "connect by network": "ENETUNREACH",
        "connect to an abstract socket": "ECONNREFUSED",
        "setuid": "EPERM",
        "setgid": "EPERM",
        "setgroups": "EPERM",
        "mount": "EPERM",
        "unmount": "EPERM",
        "chroot": "EPERM",
        "user namespace": "EPERM",
        "mount namespace": "EPERM",
        "keyring": "EPERM",
        "host name": "EPERM",
        "nice": "EACCES",
        "execute a shell": "ENOENT",
        "execute itself": "ENOENT",
        "children": "FEW",
        "files": "FEW",
        "16 GiB": "ENOMEM",
        "core": "0",
    }
    assert list(processor.remarks()) == [], "nothing was refused"


def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def test_qemu_itself_runs_firmware_with_nothing_to_see(opened, image):
    processor = opened()
    run(processor, image("trace"))
    pid = processor._rproc.execution.pid
    status = status_of(pid)
    assert len(set(status["Uid"].split() + status["Gid"].split())) == 1
    assert FIRST <= int(status["Uid"].split()[0]) <= LAST
    assert status["Groups"].split() == []
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["NSpid"].split()[1:] == ["1"]
    assert os.listdir(f"/proc/{pid}/root/files") == []
    assert os.path.samefile(f"/proc/{pid}/cwd", f"/proc/{pid}/root")
    for name in ("net", "mnt", "ipc", "pid"):
        assert os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"), name
    with open(f"/proc/{pid}/environ", "rb") as file:
        assert file.read() == b""
    with open(f"/proc/{pid}/mountinfo") as file:
        points = [line.split()[4] for line in file]
    assert points == ["/", "/proc/self/fd"]


def test_each_has_a_user_of_its_own_while_it_runs(make_board, image, tmp_path):
    users = QemuUsers((FIRST, FIRST + 1), str(tmp_path / "users"))
    first, second = users.take(), users.take()
    assert first
    assert second
    assert {first.number, second.number} == {FIRST, FIRST + 1}
    with pytest.raises(HostFault, match=r"all in use.*simulator-users"):
        users.take()
    first.release()
    first.release()
    again = users.take()
    assert again
    assert again.number == first.number
    assert sorted(os.listdir(tmp_path / "users")) == [str(FIRST), str(FIRST + 1)]
    (tmp_path / "users" / str(LAST)).touch()  # as a process leaves it that was killed
    again.release()
    assert os.listdir(tmp_path / "users") == [str(FIRST + 1)]
    second.release()
    assert os.listdir(tmp_path / "users") == []


def test_a_file_that_the_board_names_is_there(opened, image, tmp_path):
    (tmp_path / "extra").write_bytes(b"x" * 64)
    (tmp_path / "extra").chmod(0o644)
    device = f"loader,file={tmp_path}/extra,addr=0x20001000"
    processor = opened(extra=f'options: ["-device", "{device}"]')
    run(processor, image("hello"))
    assert processor._rproc.execution.read_memory(0x20001000, 64) == b"x" * 64


def test_what_the_kernel_refuses_is_told(opened, image, monkeypatch):
    monkeypatch.setattr("adapters.linux.seccomp._library", 0)
    processor = opened()
    run(processor, image("hello"))
    assert [text for text in processor.remarks() if "cannot filter its system calls" in text]
    assert os.listdir(f"/proc/{processor._rproc.execution.pid}/root/files") == []


ORDINARY = """
import hashlib, json, mmap, os, sys
import adapters.sim.qemu, adapters.sim.silence  # now: that user may not see the checkout
from adapters.sim.processor import open_processor
from domain.firmware import FirmwareImage
with open(sys.argv[2], "rb") as file:
    data = file.read()
digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
os.setgroups([]); os.setgid(65533); os.setuid(65533)
arguments = json.loads(sys.argv[1])
arguments["directory"] = sys.argv[3] + "/run/board"
processor = open_processor(arguments)
image = FirmwareImage("hello.elf", len(data), digest, sys.argv[2])
processor.load(processor.plan_claim("c1", image), image)
processor.start()
pid = processor._rproc.execution.pid
with open(f"/proc/{pid}/status") as file:
    status = dict(line[:-1].split(":\\t", 1) for line in file if ":\\t" in line)
print(json.dumps([status, os.listdir(f"/proc/{pid}/root"), processor.remarks()]))
processor.release(processor._claim)
"""


# Runs a command as on a kernel that has no filters of system calls, as QEMU finds out.
WITHOUT_FILTERS = """
import os, sys
from adapters.linux import seccomp
seccomp.deny(["seccomp"])
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize(
    "before", [[], [sys.executable, "-c", WITHOUT_FILTERS]], ids=["filters", "none"]
)
def test_for_an_ordinary_user_it_is_the_user(make_board, samples, before):
    """Beneath /tmp, since pytest's directory is closed to others."""
    arguments = json.dumps(make_board().open_args("remoteproc0", ProcessorOptions()))
    place = tempfile.mkdtemp()
    try:
        shutil.copy(f"{samples}/cortex-m3/hello.elf", place)
        os.chown(place, 65533, 65533)
        command = [*before, sys.executable, "-c", ORDINARY]
        command += [arguments, f"{place}/hello.elf", place]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    finally:
        shutil.rmtree(place)
    assert done.returncode == 0, done.stderr
    status, root, remarks = json.loads(done.stdout)
    assert status["Uid"].split() == ["65533"] * 4
    assert (status["CapEff"], status["NoNewPrivs"], status["Seccomp"]) == ("0" * 16, "1", "2")
    assert remarks == [] or "cannot" in remarks[0], "what was refused is told"
    assert remarks or "etc" not in root
