"""Proves that wrong operations are refused in one line, with exit code 1, and change nothing."""

import os
import subprocess

import pytest

from features.backends.command_line import PROGRAMS
from tests.integration.snapshot import refused, snapshot


def run(backend, bundle, container):
    for words in (("create", "--bundle", bundle, container), ("start", container)):
        outcome = backend.command(*words)
        assert outcome.code == 0, outcome


@pytest.mark.parametrize("container", ["a", "A.b_c+d-9", "x" * 200, "-", "...", "0"])
def test_ids_that_are_allowed(backend, bundle, container):
    assert backend.command("create", "--bundle", bundle, "--", container).code == 0
    assert backend.command("start", "--", container).code == 0
    assert backend.processor("m3-0")["owner"] == container
    assert backend.command("delete", "--force", "--", container).code == 0


@pytest.mark.parametrize(
    "container", [".", "..", "a/b", "/a", "a b", "a\nb", "a\x1b[2J", "ä", "@new-a-1", "x" * 201, ""]
)
def test_ids_that_are_not(backend, bundle, container):
    for words in (("create", "--bundle", bundle), ("delete", "--force")):
        refused(backend, *words, "--", container, says=["container id"], watch=[bundle])


@pytest.mark.parametrize(
    "words", [("state",), ("start",), ("kill",), ("delete",), ("logs",)], ids=lambda words: words[0]
)
def test_an_unknown_container(backend, words):
    refused(backend, *words, "pump", says=["container pump does not exist", "list"])


@pytest.mark.parametrize("signal", ["NOPE", "0", "65", "-1", "", "9" * 400, "SIGSIGTERM", "TERM\n"])
def test_an_unknown_signal(backend, bundle, signal):
    assert backend.command("create", "--bundle", bundle, "pump").code == 0
    refused(backend, "kill", "--", "pump", signal, says=["unknown signal", "TERM"])


def test_operations_that_a_running_container_does_not_allow(backend, bundle):
    run(backend, bundle, "pump")
    other = backend.bundle(backend.sample("prints and runs on"), "m3-0")
    assert backend.command("create", "--bundle", other, "fan").code == 0
    refusals = {
        ("start", "pump"): "cannot start container pump: it is running",
        ("delete", "pump"): "cannot delete container pump: it is running; kill it first",
        ("create", "--bundle", other, "pump"): "container pump exists; choose another id",
        ("start", "fan"): "belongs to container pump; stop and delete that container first",
    }
    for words, says in refusals.items():
        before = everything(backend, bundle, other)
        assert says in backend.command(*words).refusal
        assert everything(backend, bundle, other) == before
    assert backend.processor("m3-0")["owner"] == "pump"


def everything(backend, *bundles):
    """Return a snapshot of all files but the logs, which grow while firmware runs."""
    found = snapshot(backend.root, backend.run_directory, *bundles)
    return {path: what for path, what in found.items() if not path.endswith("/log")}


MISUSE = {
    "an unknown command": (["creat", "pump"], "No such command 'creat'"),
    "an unknown option": (["state", "--loud", "pump"], "No such option"),
    "no id": (["state"], "Missing argument 'ID'"),
    "two ids": (["state", "a", "b"], "unexpected extra argument"),
    "an option without its value": (["create", "pump", "--bundle"], "requires an argument"),
    "a bad choice": (["list", "--format", "xml"], "'xml' is not one of"),
    "a size of many digits": (["update", "--memory", "9" * 5000, "pump"], "is no size"),
    "a time in other digits": (["events", "--interval", "\u00b2", "pump"], "is no time"),
    "a time without end": (["events", "--interval", "9" * 400, "pump"], "is no time"),
}


@pytest.mark.parametrize("case", MISUSE)
def test_a_wrong_command_line_ends_with_2(backend, case):
    words, says = MISUSE[case]
    before = snapshot(backend.place)
    outcome = backend.command(*words)
    new = snapshot(backend.place).keys() - before.keys()
    assert outcome.code == 2, outcome
    assert says.lower() in outcome.err.lower()
    assert len(outcome.err.splitlines()) == 1 and "Traceback" not in outcome.err
    assert all(path.startswith(f"{backend.place}/commands/") for path in new)


def test_a_wrong_global_option_ends_with_2(backend):
    outcome = backend.command("--log-format", "xml", "list")
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("words", [("exec", "--process"), ("update", "--resources")])
def test_a_file_of_json_that_is_not_there(backend, bundle, words):
    run(backend, bundle, "pump")
    outcome = backend.command(*words, "/no/such.json", "pump")
    assert (outcome.code, outcome.refusal) == (1, "/no/such.json does not exist")


def test_errors_are_written_to_the_log_for_engines(backend):
    import json

    log = f"{backend.place}/log.json"
    outcome = backend.command("--log", log, "--log-format", "json", "state", "pump")
    with open(log) as file:
        (entry,) = map(json.loads, file)
    assert outcome.code == 1
    assert entry["level"] == "error" and entry["msg"] in outcome.err


def test_a_log_that_cannot_be_written_hides_no_error(backend):
    outcome = backend.command("--log", f"{backend.place}/nowhere/log", "state", "pump")
    assert outcome.code == 1
    assert "container pump does not exist" in outcome.err and "Traceback" not in outcome.err


def test_a_pid_file_that_cannot_be_written_undoes_the_creation(backend, bundle):
    path = f"{backend.place}/nowhere/pid"
    words = ("create", "--bundle", bundle, "--pid-file", path, "pump")
    refused(backend, *words, says=[path, "(ENOENT)"], watch=[bundle])


def test_a_pid_file_that_is_a_directory_undoes_the_creation(backend, bundle):
    words = ("create", "--bundle", bundle, "--pid-file", bundle, "pump")
    refused(backend, *words, says=[bundle, "(EISDIR)"], watch=[bundle])


def test_the_pid_file_names_the_supervisor(backend, bundle):
    path = f"{backend.place}/pid"
    assert backend.command("create", "--bundle", bundle, "--pid-file", path, "pump").code == 0
    with open(path) as file:
        assert file.read() == str(backend.state("pump")["pid"])


def test_a_closed_stdout_prints_no_error(backend):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        outcome = backend.command("processors", stdout=writer)
    finally:
        os.close(writer)
    assert outcome.code == 1 and outcome.err == ""


def test_a_full_disk_below_stdout_is_named(backend):
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        outcome = backend.command("processors", stdout=full)
    finally:
        os.close(full)
    assert outcome.refusal == "standard output: No space left on device"


def called(*words):
    command = [f"{PROGRAMS}/remoteproc-runtime", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_no_command_shows_the_commands():
    done = called()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: remoteproc-runtime") and "\n  create " in done.stderr


def test_without_processors_the_command_says_what_to_do(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(f"tree: {tmp_path}\nrun-directory: run\n")
    done = called("--config", str(config), "processors")
    assert done.returncode == 0 and done.stdout.startswith("NAME")
    assert "no remote processors; load the kernel's remoteproc driver" in done.stderr
    assert called("--config", str(config), "processors", "--format", "json").stderr == ""


def test_a_tree_that_is_not_there(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("backend: sysfs\ntree: nowhere\n")
    done = called("--config", str(config), "processors")
    assert done.returncode == 1
    assert f"{config}:2: tree {tmp_path}/nowhere is no directory" in done.stderr


def test_the_calls_of_arms_runtime(runtime):
    """What the documents of arm/remoteproc-runtime show, where they show it."""
    bundle = runtime.bundle()
    runtime.run("--bundle", bundle, "create", "c1")
    assert runtime.state()["bundle"] == bundle
    runtime.run("start", "c1")
    state = runtime.state()
    assert (state["status"], state["ociVersion"][:2]) == ("running", "1.")
    assert state["annotations"]["remoteproc.name"] == "m3-0"
    assert state["annotations"]["remoteproc.firmware"]
    runtime.run("--log-level", "debug", "kill", "c1")
    runtime.run("delete", "c1")
    failed = runtime.run("--bundle", "/no/such", "create", "--bundle", bundle, "c1", check=False)
    assert failed.returncode == 0, "a command's own option counts"
