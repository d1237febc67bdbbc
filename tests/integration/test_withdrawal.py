"""Proves that a supervisor misses nothing where it sees no file of the host's any more."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

from adapters.linux.view import Place
from adapters.supervisor.withdrawal import Withdrawal
from tests.contract.children import spawn, status_of
from tests.integration.oci import Runtime
from tests.neighbour import SYS_PTRACE, seen_by_a_neighbour
from tests.simulator import Simulator
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")

CHECKOUT = str(Path(__file__).parents[2])
# The command, whose supervisor tells at its end what it has imported since it has withdrawn.
WATCHED = """
import os, sys
sys.path += sys.argv.pop(1).split(":")
from adapters.supervisor.withdrawal import Withdrawal
enter, end, before = Withdrawal.enter_view, os._exit, []
def enter_and_note(withdrawal):
    before.extend(sys.modules)
    enter(withdrawal)
def tell(code):
    if before:
        os.write(2, f"imported: {sorted(set(sys.modules) - set(before))}\\n".encode())
    end(code)
Withdrawal.enter_view, os._exit = enter_and_note, tell
from bootstrap.oci import main
main()
"""
GROUP = {"linux": {"cgroupsPath": f"/rproc-withdrawal-{os.getpid()}"}}  # no other worker's
POLICY = """\
backend: sysfs
tree: {tree}
run-directory: run
processors:
  "*": {{coredumps: {place}/dumps, annotations: {{coredump: [enabled]}}}}
"""


@pytest.fixture
def watched(runtime):
    return watch(runtime)


def watch(runtime):
    """Let supervisors tell what they have imported, on their standard error."""
    libraries = str(Path(click.__file__).parents[1])
    program = [sys.executable, "-I", "-S", "-X", "utf8", "-c", WATCHED]
    runtime.command[:1] = [*program, f"{CHECKOUT}:{libraries}"]
    return runtime


def live(watched, tmp_path, end=()):
    """Run a container until it ends, by a command or by itself; return what was said, and how."""
    with open(tmp_path / "said", "wb") as said:
        created = watched.create(stdout=said, stderr=said, check=False)
    assert created.returncode == 0, (tmp_path / "said").read_text()
    watched.run("start", "c1")
    for words in end:
        watched.run(*words)
    wait_until(lambda: watched.state()["status"] == "stopped", 20)
    told = watched.state()["annotations"]
    text = (tmp_path / "said").read_text()
    watched.delete()
    assert "imported: []" in text, text
    assert "cannot" not in text, text
    return text, told


@pytest.mark.parametrize("group", [{}, GROUP])
@pytest.mark.parametrize("program", ["crash", "exit", "watchdog"])
def test_firmware_that_ends(watched, tmp_path, program, group):
    log = tmp_path / "termination-log"
    log.touch()
    mounts = [{"destination": "/dev/termination-log", "source": str(log), "options": ["bind"]}]
    watched.bundle(program, mounts=mounts, **group)
    _, told = live(watched, tmp_path)
    assert told["remoteproc.exit-status"] != "0"
    assert log.read_text() == told["remoteproc.exit-reason"] + "\n"


@pytest.mark.parametrize("group", [{}, GROUP])
def test_all_that_is_asked_of_a_supervisor(watched, tmp_path, group):
    watched.bundle("spin", **group)
    pause = (("pause", "c1"), ("resume", "c1"))
    others = [("kill", "c1", name) for name in ("HUP", "USR1", "WINCH", "RTMIN+9")]
    text, _ = live(watched, tmp_path, (*pause, *others, ("kill", "c1", "TERM")))
    assert "signal HUP ignored" in text and "signal 43 ignored" in text


@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="needs /dev/fuse")
@pytest.mark.parametrize("options", [{}, {"coredump": "enabled"}, {"console": "rpmsg"}])
@pytest.mark.parametrize("program", ["watchdog-traced", "hello-traced"])
def test_on_a_kernels_tree(tmp_path, options, program):
    with ExitStack() as stack:
        tree = stack.enter_context(Simulator()).root
        watched = watch(Runtime(tmp_path))
        stack.callback(watched.delete)
        annotations = {f"remoteproc.{name}": value for name, value in options.items()}
        watched.bundle(program, annotations={"remoteproc.name": "m4", **annotations})
        Path(watched.place, "config.yaml").write_text(POLICY.format(tree=tree, place=tmp_path))
        crashes = program.startswith("watchdog")
        text, told = live(watched, tmp_path, () if crashes else [("kill", "c1", "TERM")])
        if options == {} and crashes:
            assert "watchdog started" in text
        if "coredump" in options and crashes:
            assert "core dump of " in told["remoteproc.exit-reason"]
            assert os.listdir(tmp_path / "dumps")
        assert os.listdir(f"{tree}/lib/firmware/remoteproc-runtime") == []


def test_a_start_that_fails_changes_nothing(runtime):
    """The second start finds all that the first one found."""
    runtime.bundle("hello")
    runtime.create()
    pid = runtime.state()["pid"]
    config = Path(runtime.place, "run")
    config.mkdir(mode=0o700, exist_ok=True)
    boards = config / "boards"
    boards.write_text("in the way")
    assert runtime.run("start", "c1", check=False).returncode == 1
    seen = seen_by_a_neighbour(pid, SYS_PTRACE)
    assert all("/etc/" in shown["root"] for shown in seen["task"].values()), "it still works there"
    boards.unlink()
    runtime.run("start", "c1")
    runtime.until("tick")
    seen = seen_by_a_neighbour(pid, SYS_PTRACE)
    assert not any("/etc/" in shown["root"] for shown in seen["task"].values())
    runtime.run("kill", "c1", "TERM")
    wait_until(lambda: runtime.state()["status"] == "stopped")


def in_a_withdrawal(place, check, *places):
    """Let a process that has the directory open withdraw, and then check something."""
    (place / "rootfs").mkdir()
    (place / "open").mkdir()

    def work():
        withdrawal = Withdrawal(str(place / "rootfs"))
        directory = os.open(place / "open", os.O_RDONLY)
        for _ in range(2):  # as where the first start fails
            withdrawal.prepare(places)
        withdrawal.enter_view()
        check(directory)
        os._exit(0)

    assert status_of(spawn(work)) == 0


def refuses(action):
    try:
        action()
    except OSError:
        return True
    return False


def test_places_and_nothing_above_them(tmp_path):
    others = tmp_path / "others"
    for name in ("read", "written", "hidden"):
        (others / name).mkdir(parents=True)
    (others / "file").write_text("text")

    def check(directory):
        assert "etc" not in os.listdir("/") + os.listdir("/.." * 9)
        assert sorted(os.listdir(others)) == ["file", "read", "written"]
        assert (others / "file").read_text() == "text"
        assert refuses(lambda: os.mkdir(others / "read" / "made"))
        assert refuses(lambda: os.mkdir(others / "made"))
        assert refuses(lambda: os.mkdir("/made"))
        os.mkdir(others / "written" / "made")
        os.mkdir("made", dir_fd=directory)
        top = os.open("../" * 40, os.O_RDONLY, dir_fd=directory)
        assert os.path.samestat(os.fstat(top), os.stat("/"))

    read = (
        Place(str(others / "read")),
        Place(str(others / "file")),
        Place(str(others / "missing")),
    )
    in_a_withdrawal(tmp_path, check, *read, Place(str(others / "written"), writable=True))
    assert (tmp_path / "open" / "made").is_dir() and (others / "written" / "made").is_dir()


def test_the_root_directory_is_no_place(tmp_path):
    (tmp_path / "rootfs").mkdir()

    def work():
        withdrawal = Withdrawal(str(tmp_path / "rootfs"))
        withdrawal.prepare([Place("/")])
        assert refuses(withdrawal.enter_view)
        assert "etc" in os.listdir("/"), "all is as it was"
        withdrawal.enter_container()
        assert os.listdir("/") == []
        os._exit(0)

    assert status_of(spawn(work)) == 0


def test_a_directory_that_cannot_be_looked_at_is_not_left_out(tmp_path, monkeypatch):
    (tmp_path / "rootfs").mkdir()

    def work():
        withdrawal = Withdrawal(str(tmp_path / "rootfs"))
        directory = os.open(tmp_path, os.O_RDONLY)
        look = os.fstat

        def fails(descriptor):
            if descriptor == directory:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return look(descriptor)

        monkeypatch.setattr(os, "fstat", fails)
        withdrawal.prepare([])
        assert refuses(withdrawal.enter_view)
        os._exit(0)

    assert status_of(spawn(work)) == 0
