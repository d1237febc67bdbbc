"""Proves what a container's stdin, stdout and terminal are; no reader can stop firmware."""

import array
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import termios
import time

import pytest

from tests.waiting import wait_until

TERMINAL = {"args": ["firmware.elf"], "cwd": "/", "terminal": True}


def receive(console):
    """Receive the terminal from the socket, as conmon does; return its name and descriptors."""
    peer, _ = console.accept()
    with peer:
        name, fds, _, _ = socket.recv_fds(peer, 4096, 4)
    return name.decode(), fds


def read_until(descriptor, wanted, seconds=10):
    seen, end = b"", time.monotonic() + seconds
    while wanted not in seen:
        assert time.monotonic() < end, seen
        if select.select([descriptor], [], [], 0.1)[0]:
            seen += os.read(descriptor, 4096)
    return seen


@pytest.fixture
def console(tmp_path):
    folder = tmp_path / ("long" * 40)  # longer than the address of a socket may be
    folder.mkdir()
    here = os.open(folder, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{here}/s")
        listening.listen()
        listening.settimeout(10)
        yield listening, str(folder / "s")
    os.close(here)


def test_a_terminal_by_the_console_socket(runtime, console):
    listening, path = console
    runtime.bundle("echo", process={**TERMINAL, "consoleSize": {"height": 30, "width": 100}})
    runtime.run("create", "--console-socket", path, "--bundle", f"{runtime.place}/bundle", "c1")
    name, (master,) = receive(listening)
    assert name.startswith("/dev/pts/")
    size = array.array("H", [0] * 4)
    fcntl.ioctl(master, termios.TIOCGWINSZ, size)
    assert list(size)[:2] == [30, 100]
    runtime.run("start", "c1")
    read_until(master, b"> ")
    os.write(master, b"hello\r")
    assert b"\r\nyou said: hello\r\n" in read_until(master, b"hello\r\n> ")
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", 10, 20, 0, 0))  # stops nothing
    assert runtime.state()["status"] == "running"
    os.write(master, b"\x03")
    wait_until(lambda: runtime.state()["status"] == "stopped")
    os.close(master)


def test_a_terminal_over_rpmsg(runtime, console):
    listening, path = console
    with open(f"{runtime.place}/config.yaml", "w") as file:
        file.write("backend: sim\nboard: stm32mp1-m4\nrun-directory: run\n")
    asked = {"remoteproc.name": "m4", "remoteproc.console": "rpmsg"}
    runtime.bundle("../stm32mp1-m4/rpmsg_answer", process=TERMINAL, annotations=asked)
    runtime.run("create", "--console-socket", path, "--bundle", f"{runtime.place}/bundle", "c1")
    _, (master,) = receive(listening)
    os.write(master, b"hello\r")  # waits until the firmware has announced its channel
    runtime.run("start", "c1")
    seen = read_until(master, b"you said: hello")
    assert b"rpmsg_echo from" not in seen, "that is the UART's"
    os.write(master, b"\x03")
    wait_until(lambda: runtime.state()["status"] == "stopped")
    os.close(master)


@pytest.mark.parametrize(
    ("terminal", "words", "says"),
    [
        (True, [], "there is no --console-socket"),
        (False, ["--console-socket", "/s"], "wants no terminal"),
        (True, ["--console-socket", "/no/such/s"], "cannot send the terminal"),
    ],
)
def test_terminal_and_socket_go_together(runtime, terminal, words, says):
    runtime.bundle(process={**TERMINAL, "terminal": terminal})
    failed = runtime.run("create", *words, "--bundle", f"{runtime.place}/bundle", "c1", check=False)
    assert failed.returncode == 1 and says in failed.stderr, failed
    assert runtime.left() == []


def test_a_socket_that_nobody_listens_at_undoes_the_creation(runtime, tmp_path, monkeypatch):
    runtime.bundle(process=TERMINAL)
    with socket.socket(socket.AF_UNIX) as silent:
        monkeypatch.chdir(tmp_path)
        silent.bind("silent")
    failed = runtime.run(
        *("create", "--console-socket", f"{tmp_path}/silent"),
        *("--bundle", f"{runtime.place}/bundle", "c1"),
        check=False,
    )
    assert failed.returncode == 1 and "Connection refused" in failed.stderr
    assert runtime.left() == []


def test_stdin_reaches_the_firmware(runtime):
    runtime.bundle("echo")
    reader, writer = os.pipe()
    runtime.create(stdin=reader)
    os.close(reader)
    runtime.run("start", "c1")
    os.write(writer, b"hello\n")
    runtime.until("you said: hello")
    os.close(writer)  # the end of the input is not the end of the firmware
    runtime.run("kill", "c1", "USR2")  # the supervisor reports this after it has seen the end
    runtime.until("signal USR2 ignored")
    assert runtime.state()["status"] == "running"


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_firmware_runs_although_descriptors_were_closed(runtime, closed):
    runtime.bundle()
    line = f'"$@" {closed}'
    words = [*runtime.command, "create", "--bundle", f"{runtime.place}/bundle", "c1"]
    subprocess.run(["sh", "-c", line, "sh", *words], check=True, timeout=20)
    runtime.run("start", "c1")
    runtime.until("tick 1")


def test_a_reader_that_is_gone_stops_nothing(runtime):
    runtime.bundle()
    reader, writer = os.pipe()
    runtime.create(stdout=writer)
    os.close(writer)
    os.close(reader)
    runtime.run("start", "c1")
    runtime.until("tick 5")
    assert runtime.state()["status"] == "running"


def test_a_full_pipe_stops_nothing_and_loses_nothing(runtime):
    runtime.bundle()
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    filling = b"x" * 4096
    os.set_blocking(writer, False)
    os.write(writer, filling)
    os.set_blocking(writer, True)
    runtime.create(stdout=writer)
    os.close(writer)
    runtime.run("start", "c1")
    runtime.until("tick 5")  # it runs, though nobody reads
    began = time.monotonic()
    runtime.run("kill", "c1")
    assert time.monotonic() - began < 5
    seen = b""
    while data := os.read(reader, 65536):
        seen += data
    os.close(reader)
    assert seen.startswith(filling)


def test_run_on_the_current_terminal(runtime):
    runtime.bundle("echo", process=TERMINAL)
    pty_input = os.path.join(os.path.dirname(__file__), "../engines/pty_input.py")
    script = '[["> ", "hi\\r"], ["you said: hi", "\\u0003"]]'
    words = [*runtime.command, "run", "--bundle", f"{runtime.place}/bundle", "c1"]
    ran = subprocess.run(
        [sys.executable, pty_input, script, *words], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0 and "you said: hi" in ran.stdout, ran


def test_run_needs_a_terminal_if_the_container_wants_one(runtime):
    runtime.bundle(process=TERMINAL)
    failed = runtime.run("run", "--bundle", f"{runtime.place}/bundle", "c1", check=False)
    assert failed.returncode == 1 and "stdin is none" in failed.stderr
