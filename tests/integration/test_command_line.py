"""Proves that wrong operations are refused in one line, with exit code 1, and change nothing."""

import os
import subprocess

import pytest

from features.backends.command_line import PROGRAMS
from tests.integration.snapshot import refused, snapshot


def run(bench, bundle, container):
    for words in (("create", "--bundle", bundle, container), ("start", container)):
        outcome = bench.command(*words)
        assert outcome.code == 0, outcome


@pytest.mark.parametrize("container", ["a", "A.b_c+d-9", "x" * 200, "-", "...", "0"])
def test_ids_that_are_allowed(bench, bundle, container):
    assert bench.command("create", "--bundle", bundle, "--", container).code == 0
    assert bench.command("start", "--", container).code == 0
    assert bench.processor("m3-0")["owner"] == container
    assert bench.command("delete", "--force", "--", container).code == 0


@pytest.mark.parametrize(
    "container", [".", "..", "a/b", "/a", "a b", "a\nb", "a\x1b[2J", "ä", "@new-a-1", "x" * 201, ""]
)
def test_ids_that_are_not(bench, bundle, container):
    for words in (("create", "--bundle", bundle), ("delete", "--force")):
        refused(bench, *words, "--", container, says=["container id"], watch=[bundle])


@pytest.mark.parametrize(
    "words", [("state",), ("start",), ("kill",), ("delete",), ("logs",)], ids=lambda words: words[0]
)
def test_an_unknown_container(bench, words):
    refused(bench, *words, "pump", says=["container pump does not exist", "list"])


@pytest.mark.parametrize("signal", ["NOPE", "0", "65", "-1", "", "9" * 400, "SIGSIGTERM", "TERM\n"])
def test_an_unknown_signal(bench, bundle, signal):
    assert bench.command("create", "--bundle", bundle, "pump").code == 0
    refused(bench, "kill", "--", "pump", signal, says=["unknown signal", "TERM"])


def test_what_a_running_container_forbids(bench, bundle):
    run(bench, bundle, "pump")
    other = bench.bundle(bench.sample("prints and runs on"), "m3-0")
    assert bench.command("create", "--bundle", other, "fan").code == 0
    refusals = {
        ("start", "pump"): "cannot start container pump: it is running",
        ("delete", "pump"): "cannot delete container pump: it is running; kill it first",
        ("create", "--bundle", other, "pump"): "container pump exists; choose another id",
        ("start", "fan"): "belongs to container pump; stop and delete that container first",
    }
    for words, says in refusals.items():
        before = everything(bench, bundle, other)
        assert says in bench.command(*words).refusal
        assert everything(bench, bundle, other) == before
    assert bench.processor("m3-0")["owner"] == "pump"


def everything(bench, *bundles):
    """All but what grows while firmware runs."""
    found = snapshot(bench.root, bench.run_directory, *bundles)
    return {path: what for path, what in found.items() if not path.endswith("/log")}


MISUSE = {
    "an unknown command": (["creat", "pump"], "No such command 'creat'"),
    "an unknown option": (["state", "--loud", "pump"], "No such option"),
    "no id": (["state"], "Missing argument 'ID'"),
    "two ids": (["state", "a", "b"], "unexpected extra argument"),
    "an option without its value": (["create", "pump", "--bundle"], "requires an argument"),
    "a bad choice": (["list", "--format", "xml"], "'xml' is not one of"),
}


@pytest.mark.parametrize("case", MISUSE)
def test_a_wrong_command_line_ends_with_2(bench, case):
    words, says = MISUSE[case]
    before = snapshot(bench.place)
    outcome = bench.command(*words)
    new = snapshot(bench.place).keys() - before.keys()
    assert outcome.code == 2, outcome
    assert says.lower() in outcome.err.lower()
    assert len(outcome.err.splitlines()) == 1 and "Traceback" not in outcome.err
    assert all(path.startswith(f"{bench.place}/commands/") for path in new)


def test_a_wrong_global_option_ends_with_2(bench):
    outcome = bench.command("--log-format", "xml", "list")
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1


def test_errors_are_written_to_the_log_for_engines(bench):
    import json

    log = f"{bench.place}/log.json"
    outcome = bench.command("--log", log, "--log-format", "json", "state", "pump")
    with open(log) as file:
        (entry,) = map(json.loads, file)
    assert outcome.code == 1
    assert entry["level"] == "error" and entry["msg"] in outcome.err


def test_a_log_that_cannot_be_written_hides_no_error(bench):
    outcome = bench.command("--log", f"{bench.place}/nowhere/log", "state", "pump")
    assert outcome.code == 1
    assert "container pump does not exist" in outcome.err and "Traceback" not in outcome.err


def test_a_pid_file_that_cannot_be_written_undoes_the_creation(bench, bundle):
    path = f"{bench.place}/nowhere/pid"
    words = ("create", "--bundle", bundle, "--pid-file", path, "pump")
    refused(bench, *words, says=[path, "(ENOENT)"], watch=[bundle])


def test_the_pid_file_names_the_supervisor(bench, bundle):
    path = f"{bench.place}/pid"
    assert bench.command("create", "--bundle", bundle, "--pid-file", path, "pump").code == 0
    with open(path) as file:
        assert file.read() == str(bench.state("pump")["pid"])


def test_a_reader_that_has_gone_is_no_trouble(bench):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        outcome = bench.command("processors", stdout=writer)
    finally:
        os.close(writer)
    assert outcome.code == 1 and outcome.err == ""


def called(*words):
    command = [f"{PROGRAMS}/remoteproc-runtime", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_no_command_shows_what_there_is():
    done = called()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: remoteproc-runtime") and "\n  create " in done.stderr


def test_no_processors_are_told_with_what_to_do(tmp_path):
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
