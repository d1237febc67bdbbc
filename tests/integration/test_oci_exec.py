"""Proves what `exec`, `ps`, `events` and `features` answer to people, conmon and health checks."""

import json
import os
import signal

import pytest

from domain.builtin_exec import COMMANDS
from tests.waiting import wait_until


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["status"], 0, "running on m3-0 (remoteproc0)"),
        (["/bin/status"], 0, "running on m3-0"),
        (["sh", "-c", "status || exit 1"], 0, "running on m3-0"),
        (["logs"], 0, "tick 1"),
        (["trace"], 0, "tick 1"),
        (["firmware"], 0, "32-bit ARM"),
        (["resource-table"], 1, "no resource table"),
        (["help"], 0, "resource-table"),
        (["sh"], 127, "firmware has no program 'sh'"),
        (["sh", "-c", "rm -rf /"], 127, "firmware has no program 'rm'"),
        ([], 127, "no command is given"),
        (["--help"], 127, "firmware has no program '--help'"),
        (["sh", "-c", "trace | grep NEVER"], 2, "'|' is not understood"),
        (["sh", "-c", "status && false"], 127, "firmware has no program 'false'"),
        (["sh", "-c", "status || curl localhost"], 127, "firmware has no program 'curl'"),
        (["sh", "-c", "status; false"], 2, "';' is not understood"),
        (["sh", "-c", "trace | grep NEVER || exit 1"], 2, "printed TEXT"),
        (["sh", "-c", "/bin/status && printed 'tick 1' || exit 1"], 0, "running on m3-0"),
        (["sh", "-c", "printed NEVER || exit 3"], 3, "has not printed 'NEVER' lately"),
        (["printed", "hello from"], 0, ""),
        (["printed", "NEVER"], 1, "has not printed 'NEVER' lately"),
        (["printed-within", "30"], 0, ""),
        (["printed-within", "0.0001"], 1, "has printed nothing for 0."),
        (["printed-within", "soon"], 2, "'soon' is no number of seconds"),
        (["printed"], 2, "takes one argument, not 0; write printed TEXT"),
        (["status", "nonsense"], 2, "takes no arguments, not 1; write status"),
    ],
)
def test_words_of_a_running_container(runtime, words, code, says):
    runtime.bundle()
    runtime.start()
    runtime.until("tick 1")
    ran = runtime.run("exec", "c1", *words, check=False)
    assert ran.returncode == code, ran
    assert says in (ran.stderr if code in (2, 127) else ran.stdout)


def test_a_resource_table(runtime):
    runtime.bundle("trace")
    runtime.start()
    shown = runtime.run("exec", "c1", "resource-table").stdout
    assert "trace0" in shown and shown.startswith("resource table at 0x")


def test_the_health_follows_the_status(runtime):
    runtime.bundle()
    runtime.create()
    assert runtime.run("exec", "c1", "status", check=False).returncode == 1  # only created
    runtime.run("start", "c1")
    assert runtime.run("exec", "c1", "status").returncode == 0
    runtime.run("pause", "c1")
    assert runtime.run("exec", "c1", "status", check=False).returncode == 1
    runtime.run("resume", "c1")
    runtime.run("kill", "c1")
    ended = runtime.run("exec", "c1", "status", check=False)
    assert ended.returncode != 0 and "cannot exec in container c1: it is stopped" in ended.stderr


def test_the_status_tells_what_the_runtime_remarked(runtime):
    runtime.bundle()
    os.kill(runtime.start(), signal.SIGUSR1)
    runtime.until("signal USR1 ignored")
    status = runtime.run("exec", "c1", "status")
    assert status.stdout == "running on m3-0 (remoteproc0)\n"
    assert "signal USR1 ignored" in status.stderr


def test_firmware_that_prints_no_more_is_not_healthy(runtime):
    runtime.bundle()
    runtime.start()
    runtime.until("tick 1")
    assert runtime.run("exec", "c1", "printed-within", "5", check=False).returncode == 0
    runtime.run("pause", "c1")
    silent = ["exec", "c1", "printed-within", "0.3"]
    wait_until(lambda: runtime.run(*silent, check=False).returncode == 1)
    runtime.run("kill", "c1", "HUP")  # the runtime's own remarks are no output of the firmware
    runtime.until("signal HUP ignored")
    assert runtime.run(*silent, check=False).returncode == 1
    runtime.run("resume", "c1")
    wait_until(
        lambda: runtime.run("exec", "c1", "printed-within", "5", check=False).returncode == 0
    )


def test_firmware_that_never_printed(runtime):
    runtime.bundle()
    runtime.create()
    never = runtime.run("exec", "c1", "printed-within", "5", check=False)
    assert (never.returncode, never.stdout) == (1, "the firmware has printed nothing at all\n")


def test_exec_as_conmon_calls_it(runtime, tmp_path):
    runtime.bundle()
    runtime.start()
    (tmp_path / "process").write_text(json.dumps({"args": ["status"], "cwd": "/", "env": []}))
    pid_file = str(tmp_path / "pid")
    asked = ["exec", "--pid-file", pid_file, "--process", str(tmp_path / "process"), "--detach"]
    ran = runtime.run(*asked, "c1")
    assert int((tmp_path / "pid").read_text()) > 1 and ran.returncode == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("{}", "there is no args"),
        ('{"args": [1]}', "args[0] must be a string"),
        (None, "does not exist"),
    ],
)
def test_a_process_file_that_is_wrong(runtime, tmp_path, text, says):
    runtime.bundle()
    runtime.create()
    path = tmp_path / "process"
    if text is not None:
        path.write_text(text)
    failed = runtime.run("exec", "--process", str(path), "c1", check=False)
    assert failed.returncode == 1 and says in failed.stderr, failed


def test_ps_and_events(runtime):
    runtime.bundle()
    pid = runtime.start()
    pids = json.loads(runtime.run("ps", "--format", "json", "c1").stdout)
    assert pids[0] == pid and len(pids) == 2
    assert str(pid) in runtime.run("ps", "c1").stdout
    event = json.loads(runtime.run("events", "--stats", "c1").stdout)
    assert (event["type"], event["id"], event["data"]["pids"]["current"]) == ("stats", "c1", 2)
    assert event["data"]["memory"]["usage"]["usage"] > 1 << 20
    runtime.run("kill", "c1")
    assert json.loads(runtime.run("ps", "--format", "json", "c1").stdout) == []
    assert "has ended" in runtime.run("events", "c1", check=False).stderr


def test_events_end_with_the_container(runtime):
    runtime.bundle("exit")
    runtime.create()
    runtime.run("start", "c1")
    ran = runtime.run("events", "--interval", "20ms", "c1", check=False)
    assert ran.returncode == 0 or "has ended" in ran.stderr


def test_features(runtime):
    shown = json.loads(runtime.run("features").stdout)
    assert shown["ociVersionMin"] == "1.0.0" and "poststop" in shown["hooks"]
    assert "pid" in shown["linux"]["namespaces"] and shown["linux"]["seccomp"] == {"enabled": False}
    assert "remoteproc.name" in shown["annotations"]["org.remoteproc.runtime.annotations"]
    assert shown["potentiallyUnsafeConfigAnnotations"] == ["remoteproc."]


def test_completion(runtime):
    runtime.bundle()
    runtime.create("pump")
    words = " ".join([*runtime.command[1:], "start", "p"])
    asked = {"COMP_WORDS": f"remoteproc-runtime {words}", "COMP_CWORD": "6"}
    env = {**os.environ, "_REMOTEPROC_RUNTIME_COMPLETE": "bash_complete", **asked}
    command, runtime.command = runtime.command, runtime.command[:1]
    shown = runtime.run(env=env).stdout
    runtime.command = command
    assert shown == "plain,pump\n"
    runtime.delete("pump")


def test_help_knows_every_builtin(runtime):
    shown = " ".join(runtime.run("exec", "--help").stdout.split())
    assert [name for name in COMMANDS if name not in shown] == []
