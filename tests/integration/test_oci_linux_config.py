"""Proves that a supervisor has the namespaces, groups and limits that config.json asks for."""

import json
import os
import subprocess
import sysconfig
import tempfile

import pytest

from tests.integration.oci import Runtime
from tests.unit.sim.helpers import alive
from tests.waiting import wait_until

SOURCES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt"}
GROUPS = "/sys/fs/cgroup"
V1 = os.path.isdir(f"{GROUPS}/pids")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


@pytest.fixture
def runtime(runtime):
    yield runtime
    runtime.prefix = []


def namespaces(pid):
    return {kind: os.readlink(f"/proc/{pid}/ns/{name}") for kind, name in NAMES.items()}


def of(*kinds):
    return {"namespaces": [{"type": kind} for kind in kinds]}


@needs_root
def test_new_namespaces(runtime):
    runtime.bundle(linux=of(*NAMES, "cgroup"), hostname="board")
    pid = runtime.start()
    host, own = namespaces("self"), namespaces(pid)
    assert all(own[kind] != host[kind] for kind in NAMES)
    runtime.until("tick 1")
    # In its mount namespace are the container's files alone, and no program.
    inside = ["nsenter", "-t", str(pid), "--pid", "--uts"]
    shown = subprocess.run(
        [*inside, "unshare", "--mount-proc", "ps", "-e", "-o", "pid=,comm="],
        capture_output=True,
        text=True,
    )
    assert shown.stdout.split()[:2] == ["1", "rproc:c1"] and "qemu" in shown.stdout
    assert len(shown.stdout.splitlines()) == 3  # and ps
    name = subprocess.run([*inside, "hostname"], capture_output=True, text=True)
    assert name.stdout == "board\n"
    runtime.run("kill", "c1")
    assert runtime.state()["annotations"]["remoteproc.exit-status"] == "0"


@needs_root
def test_a_host_name_of_any_length_is_refused_in_one_line(runtime):
    runtime.bundle(linux=of("uts"), hostname="x" * 70_000)
    outcome = runtime.create(check=False)
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines() == [
        "remoteproc-runtime: cannot set the host name: Invalid argument (EINVAL); "
        "root needs CAP_SYS_ADMIN"
    ]
    assert runtime.left() == []


@needs_root
def test_the_simulator_ends_with_its_killed_supervisor(runtime):
    runtime.bundle(linux=of("pid"))
    pid = runtime.start()
    listed = runtime.run("ps", "--format", "json", "c1").stdout
    os.kill(pid, 9)
    wait_until(lambda: runtime.state()["status"] == "stopped")
    wait_until(lambda: not any(map(alive, json.loads(listed))))


@needs_root
def test_joins_the_namespaces_that_are_given_by_path(runtime):
    process = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "sleep", "60"]
    )
    try:
        end = f"/proc/{process.pid}/ns"
        own = os.readlink("/proc/self/ns/uts")
        wait_until(lambda: os.readlink(f"{end}/uts") != own)
        paths = {"network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid_for_children"}
        given = [{"type": kind, "path": f"{end}/{name}"} for kind, name in paths.items()]
        runtime.bundle(linux={"namespaces": given})
        pid = runtime.start()
        for kind, name in paths.items():
            assert namespaces(pid)[kind] == os.readlink(f"{end}/{name}"), kind
        runtime.until("tick 1")
        runtime.run("kill", "c1", "KILL")
    finally:
        process.kill()
        process.wait()


@needs_root
@pytest.mark.parametrize(
    ("kind", "path", "says"),
    [
        ("network", "/no/such", "cannot open network namespace /no/such: No such file"),
        ("network", "/proc/self/ns/uts", "none of that kind"),
        ("uts", "/etc/hostname", "cannot join uts namespace /etc/hostname"),
        ("ipc", "FIFO", "none of that kind"),
    ],
)
def test_a_namespace_that_cannot_be_joined(runtime, kind, path, says):
    os.mkfifo(f"{runtime.place}/fifo")
    path = path.replace("FIFO", f"{runtime.place}/fifo")
    runtime.bundle(linux={"namespaces": [{"type": kind, "path": path}]})
    failed = runtime.create(check=False)
    assert failed.returncode == 1 and says in failed.stderr, failed
    assert len(failed.stderr.splitlines()) == 1
    assert runtime.left() == []


@needs_root
def test_a_new_mount_namespace_holds_no_other_container(runtime, tmp_path):
    layers = [str(tmp_path / each) for each in ("lower", "upper", "work", "merged")]
    for layer in layers:
        os.mkdir(layer)
    lower, upper, work, merged = layers
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", merged], check=True)
    try:
        runtime.bundle(linux=of("mount"))
        pid = runtime.start()
        with open(f"/proc/{pid}/mountinfo") as file:
            assert merged not in file.read()
    finally:
        subprocess.run(["umount", merged], check=True)


@needs_root
@pytest.mark.skipif(not V1, reason="needs control groups of version 1")
@pytest.mark.parametrize(
    ("path", "folder"),
    [("/rproc-test/{id}", "rproc-test/{id}"), ("rproc-test.slice:p:{id}", "rproc.slice")],
)
def test_a_control_group_is_made_limited_and_removed(runtime, path, folder):
    name = f"c{os.getpid()}"
    limits = {"pids": {"limit": 50}, "memory": {"limit": 1 << 28}, "cpu": {"shares": 512}}
    runtime.bundle(linux={"cgroupsPath": path.format(id=name), "resources": limits})
    pid = runtime.start()
    with open(f"/proc/{pid}/cgroup") as file:
        groups = dict(line.strip().split(":")[1:] for line in file)
    at = groups["pids"]
    assert at.startswith(f"/{folder.format(id=name)}") and name in at
    with open(f"{GROUPS}/pids{at}/pids.max") as file:
        assert file.read() == "50\n"
    with open(f"{GROUPS}/memory{at}/memory.limit_in_bytes") as file:
        assert int(file.read()) == 1 << 28
    runtime.until("tick 1")
    runtime.delete()
    assert not os.path.exists(f"{GROUPS}/pids{at}") and not os.path.exists(f"{GROUPS}/memory{at}")


@needs_root
@pytest.mark.skipif(not V1, reason="needs control groups of version 1")
def test_a_control_group_that_existed_before_stays(runtime):
    path = f"/rproc-other-{os.getpid()}"
    os.mkdir(f"{GROUPS}/pids{path}")
    try:
        runtime.bundle(linux={"cgroupsPath": path})
        runtime.start()
        runtime.delete()
        assert os.path.isdir(f"{GROUPS}/pids{path}")
        assert not os.path.isdir(f"{GROUPS}/memory{path}")
    finally:
        os.rmdir(f"{GROUPS}/pids{path}")


@needs_root
@pytest.mark.parametrize(
    ("linux", "says"),
    [
        ({"cgroupsPath": "/../x"}, "must not lead upwards"),
        ({"cgroupsPath": "a:b"}, "is no path"),
        ({"cgroupsPath": "/rproc-test" * 65}, "has 65 levels, over 64"),
        ({"cgroupsPath": "/rproc-test/x\n"}, "Invalid argument"),
        (
            {"cgroupsPath": "/rproc-test/y", "resources": {"cpu": {"cpus": "4096"}}},
            "cannot set cpu.cpus to 4096",
        ),
    ],
)
def test_a_control_group_that_cannot_be_made(runtime, linux, says):
    runtime.bundle(linux=linux)
    failed = runtime.create(check=False)
    assert failed.returncode == 1 and says in failed.stderr, failed
    assert len(failed.stderr.splitlines()) == 1
    assert runtime.left() == []
    assert not os.path.exists(f"{GROUPS}/pids/rproc-test/y")


@needs_root
def test_without_control_groups_if_the_caller_wants_none(runtime):
    runtime.bundle(linux={"cgroupsPath": "/rproc-test/none"})
    runtime.command += ["--cgroup-manager", "disabled"]
    pid = runtime.start()
    with open(f"/proc/{pid}/cgroup") as file:
        assert "rproc-test" not in file.read()


def test_limits_of_the_process(runtime):
    rlimits = [{"type": "RLIMIT_NOFILE", "soft": 200, "hard": 300}]
    runtime.bundle(
        process={"args": ["firmware.elf"], "cwd": "/", "oomScoreAdj": 300, "rlimits": rlimits}
    )
    pid = runtime.start()
    with open(f"/proc/{pid}/oom_score_adj") as file:
        assert file.read() == "300\n"
    with open(f"/proc/{pid}/limits") as file:
        (line,) = (line for line in file if line.startswith("Max open files"))
    assert line.split()[3:5] == ["200", "300"]


@pytest.mark.parametrize(
    ("rlimits", "says"),
    [
        ([{"type": "RLIMIT_X", "soft": 1, "hard": 1}], "RLIMIT_X is unknown"),
        ([{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 1}], "RLIMIT_NOFILE"),
        # The limit comes before or after the supervisor has opened what it needs to say so itself.
        ([{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}], "RLIMIT_NOFILE"),
        ([{"type": "RLIMIT_FSIZE", "soft": 0, "hard": 0}], "/exit.json: File too large (EFBIG)"),
    ],
)
def test_limits_that_cannot_be(runtime, rlimits, says):
    runtime.bundle(process={"args": ["firmware.elf"], "cwd": "/", "rlimits": rlimits})
    failed = runtime.create(check=False)
    assert failed.returncode == 1 and says in failed.stderr, failed
    assert runtime.left() == []


@pytest.fixture
def users_runtime():
    """The command line as a user who is not root runs it, by a Python that any user may run."""
    python = "/usr/bin/python3"
    paths = [SOURCES, sysconfig.get_path("purelib")]
    code = f"import sys; sys.path[:0] = {paths}; import bootstrap.oci as o; o.main()"
    with tempfile.TemporaryDirectory() as place:
        runtime = Runtime(place)
        os.mkdir(f"{place}/run")
        runtime.command = [python, "-c", code, *runtime.command[1:]]
        runtime.prefix = ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"]
        chown_all(runtime)
        if runtime.run("state", "x", check=False).stderr.count("does not exist") != 1:
            pytest.skip("other users cannot run this Python")
        yield runtime
        runtime.delete()
        assert runtime.left() == []


def chown_all(runtime):
    for folder, _, files in os.walk(runtime.place):
        for each in (folder, *(f"{folder}/{name}" for name in files)):
            os.chown(each, 65533, 65533)


@needs_root
def test_what_a_user_may_not_do_is_skipped_and_reported(users_runtime):
    users_runtime.bundle(linux={**of("uts", "network"), "cgroupsPath": "/rproc-test/user"})
    chown_all(users_runtime)
    users_runtime.start()
    logs = users_runtime.until("tick 1")
    assert "cannot make a new uts namespace: Operation not permitted" in logs
    assert "cannot make control group" in logs


@needs_root
def test_a_user_gets_namespaces_inside_a_user_namespace(users_runtime):
    mapped = [{"containerID": 0, "hostID": 65533, "size": 1}]
    linux = {**of("user", "uts", "pid", "mount"), "uidMappings": mapped, "gidMappings": mapped}
    users_runtime.bundle(linux=linux)
    chown_all(users_runtime)
    pid = users_runtime.start()
    users_runtime.until("tick 1")
    host = namespaces("self")
    assert all(namespaces(pid)[kind] != host[kind] for kind in ("uts", "pid", "mount"))


@needs_root
def test_root_of_a_user_namespace_is_treated_as_a_user(runtime, tmp_path):
    """Rootless Podman runs the runtime this way: as root of Podman's own user namespace."""
    with open(f"{runtime.place}/config.yaml", "w") as file:
        file.write("backend: sim\nboard: quad\n")
    own = tmp_path / "xdg"
    own.mkdir()
    before = runtime.command
    runtime.command = runtime.command[:3]  # without --root
    runtime.prefix = ["unshare", "--user", "--map-root-user", "env", f"XDG_RUNTIME_DIR={own}"]
    limits = [{"type": "RLIMIT_NOFILE", "soft": 1 << 30, "hard": 1 << 30}]
    process = {"args": ["firmware.elf"], "cwd": "/", "rlimits": limits}
    runtime.bundle(linux={**of("uts", "pid"), "cgroupsPath": "/rproc-test/u"}, process=process)
    runtime.start()
    logs = runtime.until("tick 1")
    assert "cannot set RLIMIT_NOFILE" in logs
    assert (own / "remoteproc-runtime" / "containers" / "c1").is_dir()
    runtime.delete()
    runtime.command, runtime.prefix = before, []
