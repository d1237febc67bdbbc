"""Proves that an error of the host is reported in one line, and that nothing is left.

Read-only and full file systems are real: they are mounted in a mount namespace of the command.
"""

import os
import signal
import subprocess
import sys

import pytest

from features.steps.world import succeed
from tests.integration.snapshot import refused

UNSHARE = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])


def mounted(script, *words):
    """Return the command that runs another one in a mount namespace of its own."""
    return [*UNSHARE, "sh", "-ec", f'{script}\nshift {len(words)}\nexec "$@"', "sh", *words]


def read_only(path):
    return mounted('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"', path)


def tmpfs(path, size, listing):
    """Return such a command with a file system of `size` KiB, whose files it lists in `listing`."""
    script = 'mount -t tmpfs -o size="$2"k,mode=700 none "$1"; where=$1; listing=$3'
    after = 'code=0; "$@" || code=$?; find "$where" -mindepth 1 >"$listing"; exit $code'
    words = ["sh", "-ec", f"{script}\nshift 3\n{after}", "sh", path, str(size), listing]
    return [*UNSHARE, *words]


def test_a_state_root_on_a_read_only_disk(backend, bundle):
    says = [backend.root, "Read-only file system (EROFS)", "writable"]
    refused(
        backend, "create", "--bundle", bundle, "pump", says=says, within=read_only(backend.root)
    )


def test_a_bundle_on_a_read_only_disk_is_enough(backend, bundle):
    outcome = backend.command("create", "--bundle", bundle, "pump", within=read_only(bundle))
    assert outcome.code == 0, outcome


def test_spec_says_why_it_cannot_write(backend):
    bundle = f"{backend.place}/empty"
    os.mkdir(bundle)
    says = [f"{bundle}/config.json", "(EROFS)"]
    refused(
        backend, "spec", "--bundle", bundle, says=says, within=read_only(bundle), watch=[bundle]
    )


@pytest.mark.parametrize("size", [4, 8, 12, 16])
def test_a_full_disk_leaves_no_half_container(backend, bundle, size):
    """4 KiB are too small for the firmware, and 16 KiB for the last file only."""
    listing = f"{backend.place}/listing"
    outcome = backend.command(
        "create", "--bundle", bundle, "pump", within=tmpfs(backend.root, size, listing)
    )
    with open(listing) as file:
        left = file.read()
    if outcome.code == 0:
        assert size > 8 and f"{backend.root}/pump/container.json" in left.split()
        for pid in backend.processes():  # the state root has gone with the mount namespace
            os.kill(pid, signal.SIGTERM)
        return
    assert "No space left on device (ENOSPC)" in outcome.refusal
    assert left == ""


def test_a_state_root_that_is_a_file(backend, bundle):
    os.rmdir(backend.root)
    open(backend.root, "w").close()
    for words in (("create", "--bundle", bundle, "pump"), ("list",)):
        outcome = backend.command(*words)
        assert backend.root in outcome.refusal and "Traceback" not in outcome.err
    os.unlink(backend.root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_state_root_of_another_user(backend, bundle):
    os.chown(backend.root, 12345, 12345)
    says = [backend.root, "belongs to user 12345", "--root"]
    refused(backend, "create", "--bundle", bundle, "pump", says=says)


def test_a_run_directory_that_is_a_file(backend, bundle):
    with open(backend.run_directory, "w"):
        pass
    says = [backend.run_directory]
    refused(backend, "create", "--bundle", bundle, "pump", says=says)
    os.unlink(backend.run_directory)


def test_without_qemu_the_start_says_what_to_install(backend, bundle):
    path = {**backend.environment, "PATH": f"{backend.place}/bin"}
    assert backend.command("create", "--bundle", bundle, "pump", env=path).code == 0
    outcome = backend.command("start", "pump", env=path)
    assert "cannot simulate m3-0: qemu-system-arm is not installed" in outcome.refusal
    assert "install QEMU (Debian: qemu-system-arm)" in outcome.refusal
    assert backend.state("pump")["status"] == "created"
    assert backend.processor("m3-0")["state"] == "offline"


def board(old, new):
    def change(backend):
        path = f"{backend.place}/board.yaml"
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace(old, new, 1))

    return change


def config(text):
    def change(backend):
        with open(backend.config, "w") as file:
            file.write(text)

    return change


def not_text(backend):
    with open(backend.config, "wb") as file:
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
def test_a_mistake_in_a_configuration_or_board_file_is_reported_with_its_line(
    backend, bundle, case
):
    change, says = MISTAKES[case]
    change(backend)
    refused(backend, "create", "--bundle", bundle, "pump", says=says, watch=[bundle])


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, whose files others cannot change")
def test_a_state_root_that_others_may_write_is_not_used(backend, bundle):
    """Somebody's link in it, or somebody's directory, would lead root's hand."""
    victim = f"{backend.place}/victim"
    os.mkdir(victim)
    with open(f"{victim}/precious", "w"):
        pass
    os.symlink(victim, f"{backend.root}/@gone-x-1")
    os.mkdir(f"{backend.root}/@gone-y-1")
    os.chmod(backend.root, 0o1777)
    says = f"other users can write to directory {backend.root}"
    for words in (("create", "--bundle", bundle, "pump"), ("list",), ("state", "pump")):
        assert says in backend.command(*words).refusal
    assert os.listdir(victim) == ["precious"]
    assert os.path.isdir(f"{backend.root}/@gone-y-1")
    os.chmod(backend.root, 0o700)
    os.unlink(f"{backend.root}/@gone-x-1")
    os.rmdir(f"{backend.root}/@gone-y-1")


def test_a_pid_file_is_not_written_through_a_link(backend, bundle):
    """Neither through one of its own name, nor through one that somebody planted beside it."""
    shared = f"{backend.place}/shared"
    os.mkdir(shared)
    victim = f"{backend.place}/victim"
    with open(victim, "w") as file:
        file.write("precious")
    os.symlink(victim, f"{shared}/pid")
    planted = [f"pid.{number}~" for number in range(os.getpid(), os.getpid() + 3000)]
    for name in planted:
        os.symlink(victim, f"{shared}/{name}")
    succeed(backend.command("create", "--bundle", bundle, "--pid-file", f"{shared}/pid", "pump"))
    with open(victim) as file:
        assert file.read() == "precious"
    assert os.path.isfile(f"{shared}/pid") and not os.path.islink(f"{shared}/pid")
    with open(f"{shared}/pid") as file:
        assert int(file.read()) == backend.state("pump")["pid"]
    assert sorted(os.listdir(shared)) == sorted(["pid", *planted])


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give a directory away")
def test_the_run_directory_of_another_user_is_not_used(tmp_path):
    own = tmp_path / "theirs"
    own.mkdir()
    os.chown(own, 12345, 12345)
    words = [os.path.join(os.path.dirname(sys.executable), "remoteproc-runtime"), "list"]
    inside = ["unshare", "--user", "--map-root-user", "env", f"XDG_RUNTIME_DIR={own}"]
    own.chmod(0o777)
    ran = subprocess.run([*inside, *words], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "can write to directory" in ran.stderr or "belongs to user" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1 and os.listdir(own) == []
