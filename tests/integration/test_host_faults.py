"""Proves that a host that refuses something is told of in one line, and that nothing is left.

Read-only and full disks are real ones, mounted where only the command under test sees them.
"""

import os
import signal

import pytest

from tests.integration.snapshot import refused

UNSHARE = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])


def mounted(script, *words):
    """Return the command that runs another one in a mount namespace of its own."""
    return [*UNSHARE, "sh", "-ec", f'{script}\nshift {len(words)}\nexec "$@"', "sh", *words]


def read_only(path):
    return mounted('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"', path)


def tmpfs(path, size, listing):
    """A disk of that many KiB; afterwards `listing` names what is on it."""
    script = 'mount -t tmpfs -o size="$2"k,mode=700 none "$1"; where=$1; listing=$3'
    after = 'code=0; "$@" || code=$?; find "$where" -mindepth 1 >"$listing"; exit $code'
    words = ["sh", "-ec", f"{script}\nshift 3\n{after}", "sh", path, str(size), listing]
    return [*UNSHARE, *words]


def test_a_state_root_on_a_read_only_disk(bench, bundle):
    says = [bench.root, "Read-only file system (EROFS)", "writable"]
    refused(bench, "create", "--bundle", bundle, "pump", says=says, within=read_only(bench.root))


def test_a_bundle_on_a_read_only_disk_is_enough(bench, bundle):
    outcome = bench.command("create", "--bundle", bundle, "pump", within=read_only(bundle))
    assert outcome.code == 0, outcome


def test_spec_says_why_it_cannot_write(bench):
    bundle = f"{bench.place}/empty"
    os.mkdir(bundle)
    says = [f"{bundle}/config.json", "(EROFS)"]
    refused(bench, "spec", "--bundle", bundle, says=says, within=read_only(bundle), watch=[bundle])


@pytest.mark.parametrize("size", [4, 8, 12, 16])
def test_a_full_disk_leaves_no_half_container(bench, bundle, size):
    """4 KiB are too few for the firmware, 16 for all but the last file."""
    listing = f"{bench.place}/listing"
    outcome = bench.command(
        "create", "--bundle", bundle, "pump", within=tmpfs(bench.root, size, listing)
    )
    with open(listing) as file:
        left = file.read()
    if outcome.code == 0:
        assert size > 8 and f"{bench.root}/pump/container.json" in left.split()
        for pid in bench.processes():  # its state root is out of our sight
            os.kill(pid, signal.SIGTERM)
        return
    assert "No space left on device (ENOSPC)" in outcome.refusal
    assert left == ""


def test_a_state_root_that_is_a_file(bench, bundle):
    os.rmdir(bench.root)
    open(bench.root, "w").close()
    for words in (("create", "--bundle", bundle, "pump"), ("list",)):
        outcome = bench.command(*words)
        assert bench.root in outcome.refusal and "Traceback" not in outcome.err
    os.unlink(bench.root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_state_root_of_somebody_else(bench, bundle):
    os.chown(bench.root, 12345, 12345)
    says = [bench.root, "belongs to user 12345", "--root"]
    refused(bench, "create", "--bundle", bundle, "pump", says=says)


def test_a_run_directory_that_is_a_file(bench, bundle):
    with open(bench.run_directory, "w"):
        pass
    says = [bench.run_directory]
    refused(bench, "create", "--bundle", bundle, "pump", says=says)
    os.unlink(bench.run_directory)


def test_without_qemu_the_start_says_what_to_install(bench, bundle):
    path = {**bench.environment, "PATH": f"{bench.place}/bin"}
    assert bench.command("create", "--bundle", bundle, "pump", env=path).code == 0
    outcome = bench.command("start", "pump", env=path)
    assert "cannot simulate m3-0: qemu-system-arm is not installed" in outcome.refusal
    assert "install QEMU (Debian: qemu-system-arm)" in outcome.refusal
    assert bench.state("pump")["status"] == "created"
    assert bench.processor("m3-0")["state"] == "offline"


def board(old, new):
    def change(bench):
        path = f"{bench.place}/board.yaml"
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace(old, new, 1))

    return change


def config(text):
    def change(bench):
        with open(bench.config, "w") as file:
            file.write(text)

    return change


def not_text(bench):
    with open(bench.config, "wb") as file:
        file.write(b"backend: \xff\n")


SIM = "backend: sim\nrun-directory: run\n"
MISTAKES = {
    "an unknown key": (board("core:", "kore:"), ["board.yaml:3:", "'kore'", "core"]),
    "an unknown core": (board("cortex-m3", "cortex-m2"), ["board.yaml:3:", "cortex-m2", "mean"]),
    "a bad size": (board("4M", "4 apples"), ["board.yaml:6:", "'4 apples' is no number", "64K"]),
    "no YAML": (board("processors:", "processors: ["), ["board.yaml:", "is not YAML"]),
    "two of a name": (board("m3-1", "m3-0"), ["board.yaml:8:", "'m3-0' is there already"]),
    "no board file": (lambda b: os.unlink(f"{b.place}/board.yaml"), ["board.yaml", "No such file"]),
    "an unknown board": (config(f"{SIM}board: sextet\n"), ["'sextet'", "quad", "cortex-m3"]),
    "an unknown setting": (config(f"{SIM}bord: quad\n"), ["config.yaml:3:", "'bord'", "board"]),
    "an unknown backend": (config("backend: smi\n"), ["config.yaml:1:", "'smi'", "sim"]),
    "no board named": (config("backend: sim\n"), ["config.yaml:1:", "needs a `board`"]),
    "config no YAML": (config("a: [\n"), ["config.yaml:2:", "is not YAML"]),
    "config no text": (not_text, ["config.yaml", "is not UTF-8"]),
    "no config": (lambda b: os.unlink(b.config), ["config.yaml", "No such file", "--config"]),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_a_file_of_ours_is_told_with_its_line(bench, bundle, case):
    change, says = MISTAKES[case]
    change(bench)
    refused(bench, "create", "--bundle", bundle, "pump", says=says, watch=[bundle])
