"""Proves what the process is that `create` leaves: it has nothing of the caller's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from features.backends.processes import users_of
from tests.waiting import wait_until


def status(pid):
    """Return the fields of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def arguments(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().rstrip(b"\0").decode()


def test_a_supervisor_has_nothing_of_its_callers_state(runtime, tmp_path):
    runtime.bundle()
    own = os.open(tmp_path / "of the caller", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(own, True)
    runtime.create(
        cwd=tmp_path,
        pass_fds=[own],
        umask=0o002,
        env={**os.environ, "SECRET": "of the caller"},
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]),
    )
    os.close(own)
    pid = runtime.state()["pid"]
    now = status(pid)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert (now["Umask"], now["Threads"]) == ("0077", "2")
    assert int(now["SigBlk"], 16) == 0
    assert (os.getsid(pid), os.getpgid(pid)) == (pid, pid)
    assert now["Name"] == "rproc:c1"
    assert arguments(pid) == "remoteproc-supervisor c1"
    opened = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    assert not [path for path in opened if "of the caller" in path or path.endswith(".lock")]
    runtime.run("kill", "c1", "TERM")
    wait_until(lambda: runtime.state()["status"] == "stopped")


def test_a_supervisor_ends_when_create_is_killed_at_any_moment(runtime):
    """However far `create` has come, the container is whole or there is none, and nothing runs."""
    runtime.bundle()
    killed = 0
    for milliseconds in range(3, 400, 5):
        creator = subprocess.Popen(
            [*runtime.command, "create", "--bundle", f"{runtime.place}/bundle", "c1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TEST": runtime.place},
        )
        try:
            creator.wait(milliseconds / 1000)
        except subprocess.TimeoutExpired:
            creator.kill()
            creator.wait()
            killed += 1
        runtime.delete()
        wait_until(lambda: not runtime.left() and not users_of(runtime.place))
        if creator.returncode == 0:
            break
    assert killed, "create was too fast to be killed"


def test_a_supervisor_is_a_child_of_the_creator(runtime):
    """Conmon reaps orphans of its descendants, and so learns of the exit status."""
    runtime.bundle("exit")
    script = """
import json, os, subprocess, sys
from adapters.linux.libc import become_subreaper
become_subreaper()
command = sys.argv[1:]
given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "check": True}
subprocess.run([*command, "create", "--bundle", "bundle", "--pid-file", "pid", "c1"], **given)
subprocess.run([*command, "start", "c1"], **given)
pid = int(open("pid").read())
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script, *runtime.command],
        cwd=runtime.place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout == "7\n", ran.stderr
