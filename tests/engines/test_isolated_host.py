"""Proves that an isolated host changes nothing on the machine, and ends with its owner."""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys

import pytest

from tests.engines.isolated_host import IsolatedHost
from tests.engines.process import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an isolated host needs root")
ROOT = os.path.join(os.path.dirname(__file__), "../..")


@pytest.fixture
def host():
    host = IsolatedHost(etc={"some/thing.conf": "text"}).open()
    yield host
    host.close()


def cgroups_named(name):
    return glob.glob(f"/sys/fs/cgroup/**/{name}", recursive=True)


def test_run_gives_output_and_exit_code(host):
    ran = host.run("sh", "-c", "cat; echo oops >&2; exit 3", stdin="hello")
    assert (ran.code, ran.stdout, ran.stderr) == (3, "hello", "oops\n")
    assert host.run("sh", "-c", "kill -9 $$").code == 137
    missing = host.run("no-such-command")
    assert missing.code == 127 and "no-such-command" in missing.stderr


def test_run_that_takes_too_long_is_killed(host):
    with pytest.raises(TimeoutError):
        host.run("sleep", "100", timeout=0.1)
    host.wait_empty()


def test_machine_sees_nothing_of_it(host):
    host.run("sh", "-c", "mkdir /run/ours /run/ours/m; mount -t tmpfs x /run/ours/m").check()
    host.run("sh", "-c", "touch /dev/shm/ours").check()
    assert not os.path.exists("/run/ours") and not os.path.exists("/dev/shm/ours")
    assert os.path.isdir(f"{host.base}/run/ours")
    assert host.run("cat", "/etc/some/thing.conf").stdout == "text"
    assert host.run("test", "-e", "/etc/passwd").code == 0
    with open("/proc/self/mounts") as file:
        assert "/run/ours" not in file.read()
    links = host.run("ip", "-o", "link").stdout.splitlines()
    assert [line.split()[1] for line in links] == ["lo:"]


def test_leftovers_are_listed(host):
    assert host.leftovers() == []
    host.watched.append("run/kept/*")
    host.run("sh", "-c", "mkdir -p /run/m /run/kept/x; mount -t tmpfs x /run/m")
    group = "$(dirname $(find /sys/fs/cgroup -name cgroup.procs | head -n 1))/engine/container"
    host.run("sh", "-c", f"mkdir -p {group}").check()
    host.run("sh", "-c", "setsid sleep 1000 &")
    kinds = [item.split()[0] for item in host.leftovers()]
    assert kinds == ["process", "mount", "file", "cgroup"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_owner_killed(number):
    code = """if True:
        import time
        from tests.engines.isolated_host import IsolatedHost
        e = IsolatedHost().open()
        e.run("sh", "-c", "setsid sleep 1000 & mkdir /run/m; mount -t tmpfs x /run/m")
        print(e.base, *e.processes(), flush=True)
        time.sleep(1000)
    """
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as owner:
        assert owner.stdout
        base, sleeper = owner.stdout.readline().split()
        gone = os.pidfd_open(int(sleeper))
        assert cgroups_named(os.path.basename(base))
        owner.send_signal(number)
    assert wait_until(lambda: not os.path.exists(base), 10)
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(gone, 0)
    os.close(gone)
    assert not cgroups_named(os.path.basename(base))
