"""No command passes a control character of an image, a caller or a file on to the terminal.

Only the firmware's own output is passed on as it is.
"""

import json
import os
import shutil

import pytest

from adapters.oci import commands
from tests.integration.oci import SAMPLES, Runtime

C0 = [*map(chr, range(1, 32)), "\x7f"]
C1 = [*map(chr, range(0x80, 0xA0))]
BIDIRECTIONAL = list("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
LINES = ["\u2028", "\u2029", "\ufeff"]
HARMFUL = "".join([*C0, *C1, *BIDIRECTIONAL, *LINES])
FORGED = f"x{HARMFUL}\nremoteproc-runtime: all is well"
# A path may hold bytes that are no text, too.
PATH = os.fsdecode(b"b\xff" + HARMFUL.encode())


def check(ran, code=0):
    """Assert that a command has shown nothing harmful on either stream; return its stdout."""
    assert ran.returncode == code, ran
    for stream in (ran.stdout, ran.stderr):
        assert not set(stream) & set(HARMFUL) - {"\n"}, stream
        assert stream.replace("\n", "").isprintable()
        assert "\nremoteproc-runtime: all is well" not in stream
    return ran.stdout


@pytest.fixture
def hostile(tmp_path):
    """A container that runs, with such characters in all that its image and its caller chose."""
    runtime = Runtime(tmp_path)
    with open(f"{runtime.place}/config.yaml", "w") as file:
        file.write("backend: sim\nboard: idle\nrun-directory: run\n")
    bundle = f"{runtime.place}/{PATH}"
    os.makedirs(f"{bundle}/rootfs")
    shutil.copy(f"{SAMPLES}/trace.elf", f"{bundle}/rootfs/fw{HARMFUL}")
    config = {
        "ociVersion": "1.2.0",
        "process": {"args": [f"fw{HARMFUL}"], "cwd": "/"},
        "root": {"path": "rootfs"},
        "annotations": {"remoteproc.name": "idle-0", f"org.example.{FORGED}": FORGED},
    }
    with open(f"{bundle}/config.json", "w") as file:
        json.dump(config, file)
    check(runtime.run("create", "--bundle", bundle, "c1"))
    check(runtime.run("start", "c1"))
    yield runtime
    runtime.delete()
    assert runtime.left() == []


SHOWN = [
    ("state", "c1"),
    ("list",),
    ("list", "--format", "json"),
    ("list", "--quiet"),
    ("ps", "c1"),
    ("ps", "--format", "json", "c1"),
    ("processors",),
    ("processors", "--format", "json"),
    ("events", "--stats", "c1"),
    ("features",),
    ("logs", "c1"),
    *(("exec", "c1", word) for word in ("status", "logs", "firmware", "resource-table", "help")),
]
REFUSED = [
    *((word, FORGED) for word in ("state", "start", "kill", "delete", "ps", "pause", "resume")),
    *((word, FORGED) for word in ("logs", "update", "release")),
    ("events", "--interval", FORGED, "c1"),
    ("exec", "c1", "trace"),
    ("kill", "c1", FORGED),
    ("create", "--bundle", PATH, "c2"),
    ("create", "--pid-file", f"/absent/{FORGED}", "c2"),
    ("create", "--console-socket", FORGED, "c2"),
    ("run", "--bundle", PATH, "c2"),
    ("spec", "--bundle", PATH),
    ("features", FORGED),
    *((word, FORGED) for word in ("doctor", "metrics", "device-plugin", "dra-driver")),
    ("processors", "--format", FORGED),
    ("list", f"--{FORGED}"),
    (FORGED,),
    ("--config", FORGED, "list"),
    ("--root", f"/proc/self/{FORGED}", "create", "c2"),
    ("--log", f"/absent/{FORGED}", "state", "c2"),
    ("--debug", "state", FORGED),
]


def test_no_command_is_forgotten():
    names = {name.removesuffix(".py") for name in os.listdir(commands.__path__[0])}
    assert {name for name in names if not name.startswith("_")} == {
        word
        for words in (*SHOWN, *REFUSED)
        for word in (each.replace("-", "_") for each in words[:3])
        if word in names
    }


def test_what_commands_show(hostile):
    for words in SHOWN:
        shown = check(hostile.run(*words, check=False))
        assert "processors" in words or "logs" in words or shown
    state = hostile.state()
    assert state["annotations"][f"org.example.{FORGED}"] == FORGED, "the value itself is unchanged"
    assert state["annotations"]["remoteproc.firmware"] == f"fw{HARMFUL}"


def test_why_commands_are_refused(hostile):
    for words in REFUSED:
        ran = hostile.run(*words, check=False)
        check(ran, code=ran.returncode)
        assert ran.returncode != 0, words
        assert ran.stderr or words == ("exec", "c1", "trace"), words


def test_how_a_container_ended(hostile):
    hostile.run("kill", "c1", "KILL")
    path = f"{hostile.root}/c1/exit.json"
    with open(path) as file:
        exit_ = json.load(file)
    with open(path, "w") as file:
        json.dump({**exit_, "reason": FORGED}, file)
    for words in SHOWN:
        check(ran := hostile.run(*words, check=False), code=ran.returncode)
    assert hostile.state()["annotations"]["remoteproc.exit-reason"] == FORGED


def test_what_the_runtime_remarks():
    """Reasons come from drivers, kernels and QEMU."""
    from adapters.supervisor.output import _line

    line = _line(FORGED).decode()
    assert line.endswith("\n") and line[:-1].isprintable()


def test_what_engines_are_told():
    from adapters.containerd.ttrpc_codes import map_error
    from domain.errors import Busy

    for error in (Busy(FORGED), OSError(2, "no", PATH), ValueError(FORGED)):
        assert str(map_error(error).message).isprintable()
