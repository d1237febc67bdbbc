"""Proves what `doctor` sees of a kernel's files."""

from __future__ import annotations

import gzip
import os

import pytest

from adapters.sysfs.board import SysfsBoard
from domain.annotations import ProcessorOptions

NO_OPTIONS = ProcessorOptions()


@pytest.fixture
def look(tree):
    return lambda directory="": SysfsBoard(str(tree.root), directory).facts()


def processor(tree, device="remoteproc0", **changes):
    values = {"name": "m4", "state": "offline", "firmware": "a", "recovery": "enabled"}
    return tree.processor(device, **{**values, **changes})


def test_a_processor(tree, look):
    place = processor(tree, coredump="disabled")
    (tree.root / "sys/devices/platform/5c1b0000.dsp").mkdir(parents=True)
    (place / "device").symlink_to("../../../devices/platform/5c1b0000.dsp")
    [info] = SysfsBoard(str(tree.root)).processors()
    assert info.parent == "5c1b0000.dsp"
    assert info.path == f"{tree.root}/sys/class/remoteproc/remoteproc0"
    entries = {"5c1b0000.dsp": {"images": "any"}}
    arguments = SysfsBoard(str(tree.root), policies=entries).open_args("remoteproc0", NO_OPTIONS)
    assert arguments["policy"]["images"] == "any"
    (tree.root / "dev").mkdir()
    (tree.root / "dev/remoteproc0").touch()
    (found,) = look().processors
    assert found.name == "m4" and found.state == "offline" and found.parent == "5c1b0000.dsp"
    assert (found.recovery, found.coredump) == ("enabled", "disabled")
    assert found.character_device and found.writable and not found.read_only


def test_a_processor_that_nobody_may_control(tree, look):
    (processor(tree) / "state").chmod(0o444)
    (found,) = look().processors
    assert found.read_only and not found.character_device and not found.parent


def test_no_remoteproc(tmp_path):
    facts = SysfsBoard(str(tmp_path)).facts()
    assert facts.processors == () and not facts.problem
    assert facts.debugfs_problem.endswith("No such file or directory (ENOENT)")
    assert "dev/kmsg: No such file" in facts.log_problem
    assert "no firmware directory of the kernel can be written" in facts.firmware_problem


@pytest.mark.parametrize("name", ["proc/config.gz", "boot/config-R", "lib/modules/R/config"])
def test_the_kernels_options(tree, look, name):
    text = b"CONFIG_REMOTEPROC=y\n# CONFIG_REMOTEPROC_CDEV is not set\nCONFIG_RPMSG_TTY=m\n"
    path = tree.root / name.replace("R", os.uname().release)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert look().options == {"REMOTEPROC": "y", "RPMSG_TTY": "m"}


def test_no_options_are_known_without_a_file(tree, look):
    assert look().options is None
    (tree.root / "proc").mkdir()
    (tree.root / "proc/config.gz").write_bytes(b"no gzip")
    assert look().options is None


def test_firmware_that_is_left(tree, look):
    processor(tree)
    processor(tree, "remoteproc1", state="running")
    published = tree.root / "lib/firmware/remoteproc-runtime"
    published.mkdir()
    for name in ("remoteproc0-c-1", "remoteproc1-c-2", "remoteproc7-c-3"):
        (published / name).touch()
    facts = look()
    assert facts.firmware_directory == str(tree.root / "lib/firmware") and facts.free > 0
    left = ("remoteproc-runtime/remoteproc0-c-1", "remoteproc-runtime/remoteproc7-c-3")
    assert facts.leftovers == left


def test_a_directory_that_the_kernel_does_not_search(tree, look):
    assert "does not look for firmware in the configured" in look("/elsewhere").firmware_problem
