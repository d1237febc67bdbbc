"""Firmware is published complete where the kernel looks; no other file is ever removed."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest

from adapters.sysfs.board import SysfsBoard
from adapters.sysfs.firmware_files import is_published_name, kernel_name, publish, unpublish
from adapters.sysfs.search_path import FirmwareDirectory, SearchPath
from domain.annotations import ProcessorOptions
from domain.errors import FirmwareUnfit, HostFault
from tests.unit.sysfs.conftest import PLAIN

DEVICE = "remoteproc0"


def search(tree, configured=""):
    return SearchPath(str(tree.root), configured)


def put(tree, image, container="box", device=DEVICE, configured=""):
    place = search(tree, configured).choose()
    name = kernel_name(place, device, container, image)
    publish(place, name, device, image)
    return name


def files(tree, where="lib/firmware/remoteproc-runtime"):
    return sorted(os.listdir(tree.root / where))


def test_published_whole_private_and_removed(tree, image):
    firmware = image()
    name = put(tree, firmware)
    path = tree.root / "lib/firmware" / name
    assert path.read_bytes() == PLAIN
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert files(tree) == [path.name] and is_published_name(name, DEVICE)
    path.with_name(f".{path.name}").write_bytes(b"half")
    unpublish(search(tree), name, DEVICE)
    unpublish(search(tree), name, DEVICE)
    assert files(tree) == []


def test_longest_id_leaves_room_for_the_kernels_suffixes(tree, image):
    name = put(tree, image(), container="x" * 200, device="remoteproc4294967295")
    assert len(name) < 256 - len(".zst") and is_published_name(name, "remoteproc4294967295")


def test_strays_of_dead_owners_are_replaced(tree, image):
    firmware = image()
    name = put(tree, firmware)
    path = tree.root / "lib/firmware" / name
    path.write_bytes(b"cut off")
    path.with_name(f".{path.name}").write_bytes(b"half")
    path.with_name(f"{DEVICE}-older-0123456789abcdef").write_bytes(b"old")
    other = path.with_name("remoteproc1-box-0123456789abcdef")
    other.write_bytes(b"of another owner")
    assert put(tree, firmware) == name
    assert path.read_bytes() == PLAIN
    assert files(tree) == sorted([path.name, other.name])


def test_changed_copy_is_not_published(tree, image):
    firmware = image()
    with open(firmware.path, "ab") as file:
        file.write(b"more")
    with pytest.raises(FirmwareUnfit, match="was changed"):
        put(tree, firmware)
    assert files(tree) == []


@pytest.mark.parametrize("kind", ["link", "dangling", "open to all"])
def test_suspicious_directory_is_refused(tree, image, kind, tmp_path):
    ours = tree.root / "lib/firmware/remoteproc-runtime"
    elsewhere = tmp_path / "elsewhere"
    if kind == "open to all":
        ours.mkdir()
        ours.chmod(0o777)
    else:
        ours.symlink_to(elsewhere)
        if kind == "link":
            elsewhere.mkdir()
    with pytest.raises(HostFault, match=r"symbolic link|written by others"):
        put(tree, image())
    assert not elsewhere.exists() or os.listdir(elsewhere) == []


TAMPERED = [
    "../../etc/passwd", "/etc/passwd", "remoteproc-runtime/../victim", "victim",
    "remoteproc-runtime/remoteproc0-../victim-0123456789abcdef",
    "remoteproc-runtime/remoteproc1-box-0123456789abcdef", "", "x" * 5000, "a\0b", "a\nb",
]  # fmt: skip


@pytest.mark.parametrize("claimed", TAMPERED)
def test_tampered_claims_remove_nothing_and_write_nothing(tree, image, claimed):
    place = tree.processor(DEVICE, name="m4", state="running", firmware=claimed, recovery="enabled")
    put(tree, image(), device="remoteproc1")
    ours = tree.root / "lib/firmware/remoteproc-runtime"
    neighbour = files(tree)
    (tree.root / "victim").write_text("mine")
    (tree.root / "lib/firmware/victim").write_text("mine")
    (ours / "notes.txt").write_text("mine")
    claim = {"firmware": claimed, "name": "m4", "recovery": "../x", "previous": "a\nb"}
    SysfsBoard(str(tree.root)).open(DEVICE, ProcessorOptions()).release(claim)
    assert (tree.root / "victim").exists() and (tree.root / "lib/firmware/victim").exists()
    assert files(tree) == sorted([*neighbour, "notes.txt"])
    assert (place / "state").read_text() == "running\n"
    assert (place / "recovery").read_text() == "enabled\n"


def test_claim_of_another_leaves_the_owners_file(tree, image):
    name = put(tree, image(), container="owner")
    unpublish(search(tree), name.replace("owner", "rival"), DEVICE)
    assert files(tree) == [name.rpartition("/")[2]]


def test_parameter_comes_first(tree, image):
    (tree.root / "own").mkdir()
    tree.parameter("/own")
    name = put(tree, image())
    assert len(files(tree, "own/remoteproc-runtime")) == 1
    unpublish(search(tree), name, DEVICE)
    assert files(tree, "own/remoteproc-runtime") == []


@pytest.mark.parametrize("value", ["/own\n", "own", "/own\nx", "", "(null)"])
def test_parameter_that_kernels_cannot_use_is_skipped(tree, image, value):
    (tree.root / "own").mkdir()
    tree.parameter(value)
    put(tree, image())
    assert len(files(tree)) == 1


def test_configured_directory(tree, image):
    (tree.root / "lib/firmware/vendor").mkdir()
    name = put(tree, image(), configured="/lib/firmware/vendor")
    assert name.startswith("vendor/remoteproc-runtime/") and is_published_name(name, DEVICE)
    unpublish(search(tree, "/lib/firmware/vendor"), name, DEVICE)
    assert files(tree, "lib/firmware/vendor/remoteproc-runtime") == []


def test_configured_directory_that_the_kernel_never_searches(tree):
    (tree.root / "srv").mkdir()
    with pytest.raises(HostFault, match=r"does not look .* /srv.*firmware_class.path"):
        search(tree, "/srv").choose()


def test_nothing_writable_says_why(tree):
    (tree.root / "lib/firmware").rmdir()
    tree.parameter("/own\n")
    with pytest.raises(HostFault) as caught:
        search(tree).choose()
    text = str(caught.value)
    assert "lib/firmware: No such file" in text and "where older kernels find nothing" in text
    assert "\n" not in text


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
@pytest.mark.parametrize("options, word", [("size=16k", "ENOSPC"), ("ro", "read-only")])
def test_full_and_read_only_file_systems(tree, image, options, word):
    place = str(tree.root / "lib/firmware")
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
    try:
        with pytest.raises(HostFault, match=word):
            put(tree, image(bytes(1 << 20)))
        assert word == "read-only" or files(tree) == []
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_nothing_half_made_is_left_after_a_fault(tree, image, step, monkeypatch):
    def fail(*args, **options):
        raise OSError(errno.EIO, "injected")

    place = search(tree).choose()
    firmware = image()
    name = kernel_name(place, DEVICE, "box", firmware)
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(HostFault, match="EIO"):
        publish(place, name, DEVICE, firmware)
    assert files(tree) == []


def test_names_that_are_not_ours():
    ours = "remoteproc-runtime/remoteproc0-box-0123456789abcdef"
    assert is_published_name(ours, DEVICE) and is_published_name(f"vendor/{ours}", DEVICE)
    for name in (ours[19:], f"x{ours}", f"{ours}x", f"{ours}\n", ours.replace("0-", "1-")):
        assert not is_published_name(name, DEVICE), name
    assert FirmwareDirectory("/lib/firmware", "")
