"""Proves when, where and with which input each hook runs, and what the failure of one undoes."""

import json
import os
import time

import pytest

from adapters.linux import process
from tests.waiting import wait_until

KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]


@pytest.fixture
def hook(tmp_path):
    """A function that makes a hook. It notes its args, environment and stdin, then runs `more`."""

    def make(kind, more="", **fields):
        path = tmp_path / f"{kind}.sh"
        path.write_text(
            "#!/bin/sh\n"
            f'printf "%s\\n" "$0" "$*" "$(env | sort | tr "\\n" " ")" "$(tr -d "\\n")" '
            f'"$(readlink /proc/self/ns/uts)" >{tmp_path}/{kind}.note\n'
            f"echo {kind} >>{tmp_path}/order\n{more}\n"
        )
        path.chmod(0o755)
        return {"path": str(path), "args": ["name", kind], "env": ["PATH=/usr/bin:/bin"], **fields}

    return make


def order(tmp_path):
    return (tmp_path / "order").read_text().split() if (tmp_path / "order").exists() else []


def note(tmp_path, kind):
    _, args, env, state, uts = (tmp_path / f"{kind}.note").read_text().splitlines()
    return args, env.split(), json.loads(state), uts


def test_each_hook_runs_with_the_state_at_that_time(runtime, hook, tmp_path):
    runtime.bundle(
        hooks={kind: [hook(kind)] for kind in KINDS},
        linux={"namespaces": [{"type": "uts"}]} if os.geteuid() == 0 else {},
    )
    runtime.create()
    assert order(tmp_path) == KINDS[:3]
    runtime.run("start", "c1")
    assert order(tmp_path) == KINDS[:5]
    pid = runtime.state()["pid"]
    host, own = os.readlink("/proc/self/ns/uts"), os.readlink(f"/proc/{pid}/ns/uts")
    runtime.run("kill", "c1")
    runtime.run("delete", "c1")
    assert order(tmp_path) == KINDS
    statuses = ["creating"] * 3 + ["created", "running", "stopped"]
    for kind, status in zip(KINDS, statuses, strict=True):
        args, env, state, uts = note(tmp_path, kind)
        assert args == kind  # $0 is the path that the kernel gives scripts
        assert [each for each in env if not each.startswith(("PWD=", "_=", "SHLVL="))] == [
            "PATH=/usr/bin:/bin"
        ]
        assert (state["id"], state["status"], state["ociVersion"]) == ("c1", status, "1.2.1")
        assert state["bundle"] == f"{tmp_path}/bundle"
        assert ("pid" in state) == (status != "stopped")
        assert uts == (own if kind in ("createContainer", "startContainer") else host)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_hook_that_fails_in_create_undoes_the_creation(runtime, hook, tmp_path, kind):
    hooks = {each: [hook(each)] for each in KINDS}
    hooks[kind] = [hook(kind, "echo out of luck; exit 3"), hook("second")]
    runtime.bundle(hooks=hooks)
    failed = runtime.create(check=False)
    assert failed.returncode == 1
    assert f"{kind} hook {tmp_path}/{kind}.sh of container c1 exited 3: out of luck" in (
        failed.stderr
    )
    assert order(tmp_path) == [*KINDS[: KINDS.index(kind) + 1], "poststop"]
    assert runtime.left() == []
    runtime.bundle()
    runtime.create()  # the id is free


def test_a_hook_that_fails_in_start_destroys_the_container(runtime, hook, tmp_path):
    hooks = {each: [hook(each)] for each in ("poststart", "poststop")}
    runtime.bundle(hooks={**hooks, "startContainer": [hook("startContainer", "exit 1")]})
    runtime.create()
    failed = runtime.run("start", "c1", check=False)
    assert failed.returncode == 1 and "startContainer hook" in failed.stderr
    assert order(tmp_path) == ["startContainer", "poststop"]
    assert "does not exist" in runtime.run("state", "c1", check=False).stderr


def test_failures_after_the_start_and_the_end_are_warnings(runtime, hook, tmp_path):
    runtime.bundle(
        hooks={
            kind: [hook(kind, "exit 1"), hook(f"{kind}-2")] for kind in ("poststart", "poststop")
        }
    )
    runtime.create()
    started = runtime.run("start", "c1")
    assert "warning: poststart hook" in started.stderr
    runtime.run("kill", "c1")
    assert "warning: poststop hook" in runtime.run("delete", "c1").stderr
    assert order(tmp_path) == ["poststart", "poststart-2", "poststop", "poststop-2"]


def test_a_hook_that_hangs_is_killed_with_its_children(runtime, hook, tmp_path):
    slow = hook("prestart", f"sleep 60 & echo $! >{tmp_path}/child; sleep 60", timeout=1)
    runtime.bundle(hooks={"prestart": [slow]})
    began = time.monotonic()
    failed = runtime.create(check=False)
    assert 1 <= time.monotonic() - began < 8
    assert "has not ended within 1 s" in failed.stderr
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: process.start_time(child) == 0)


@pytest.mark.parametrize(
    ("path", "says"),
    [("/no/such/hook", "No such file"), ("/etc/passwd", "Permission denied"), ("/", "denied")],
)
def test_a_hook_that_cannot_run(runtime, path, says):
    runtime.bundle(hooks={"createRuntime": [{"path": path}]})
    failed = runtime.create(check=False)
    assert failed.returncode == 1 and says in failed.stderr
    assert f"createRuntime hook {path}" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1


def test_create_does_not_wait_for_a_daemon_that_a_hook_leaves(runtime, hook, tmp_path):
    left = hook("prestart", f"sleep 30 & echo $! >{tmp_path}/child")
    runtime.bundle(hooks={"prestart": [left]})
    began = time.monotonic()
    runtime.create()
    assert time.monotonic() - began < 10
    os.kill(int((tmp_path / "child").read_text()), 9)


def test_changes_after_create_have_no_effect(runtime, hook, tmp_path):
    runtime.bundle(hooks={"poststart": [hook("poststart")], "poststop": [hook("poststop")]})
    runtime.create()
    runtime.bundle(hooks={"poststart": [hook("changed")]}, annotations={"remoteproc.name": "m9"})
    runtime.run("start", "c1")
    runtime.run("kill", "c1")
    runtime.run("delete", "c1")
    assert order(tmp_path) == ["poststart", "poststop"]
