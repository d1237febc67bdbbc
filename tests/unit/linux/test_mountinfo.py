"""Proves that mounts are found whatever their names are (proc(5))."""

from __future__ import annotations

import os

import pytest

from adapters.isolation import hierarchies, namespaces
from adapters.linux import libc, mountinfo
from adapters.linux.mountinfo import MountEntry, is_mount_point, mounts, parse
from tests.sandbox import in_child, mount, small_tmpfs

NAMES = ["é", "a b", "tab\tnew\nline", "back\\slash", "\\040", "#hash", "日本", "\udcff"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="control groups need root")


def mount_in_child(tmp_path, name, kind, data, look):
    """Mount a file system without a source on a directory of that name; return what `look` sees."""

    def work():
        small_tmpfs(tmp_path, "1m")
        for directory in ("lower", "upper", "work", name):
            os.mkdir(f"{tmp_path}/{directory}")
        mount(b"", f"{tmp_path}/{name}", kind, data)
        return look()

    return in_child(work)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_mount_point_has_the_name_that_it_was_given(tmp_path, name):
    found = mount_in_child(tmp_path, name, "tmpfs", "size=64k", lambda: list(mounts()))
    ours = [mount for mount in found if mount.point == f"{tmp_path}/{name}"]
    assert [(mount.kind, mount.source) for mount in ours] == [("tmpfs", "")]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_another_containers_root_is_found_whatever_its_name(tmp_path, name):
    """Else the supervisor's mount namespace would keep it from being removed."""
    layers = ",".join(
        f"{option}={tmp_path}/{directory}"
        for option, directory in (("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "work"))
    )
    found = mount_in_child(
        tmp_path, name, "overlay", layers, lambda: namespaces._other_root_filesystems([])
    )
    assert f"{tmp_path}/{name}" in found


@needs_root
@pytest.mark.parametrize("name", ["é", "a b"])
def test_a_hierarchy_of_control_groups_is_found_whatever_its_name_and_source(tmp_path, name):
    found = mount_in_child(tmp_path, name, "cgroup2", "", lambda: list(mounts()))
    ours = [m for m in found if m.kind == "cgroup2" and m.point == f"{tmp_path}/{name}"]
    assert [m.source for m in ours] == [""]


@needs_root
def test_hierarchies_are_found_though_one_is_mounted_a_second_time_without_a_source(tmp_path):
    expected = hierarchies.hierarchies()
    found = mount_in_child(tmp_path, "group", "cgroup2", "", hierarchies.hierarchies)
    assert found[: len(expected)] == expected


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (
            b"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n",
            MountEntry("0:28", "/sys/fs/cgroup", "tmpfs", "tmpfs", "rw,mode=755"),
        ),
        (
            b"36 35 98:0 /a /mnt\\011\\012\\134 rw master:1 shared:2 - ext3 /d/r\\043t ro,x\n",
            MountEntry("98:0", "/mnt\t\n\\", "ext3", "/d/r#t", "ro,x"),
        ),
        (b"1 2 3:4 / / rw - tmpfs  rw\n", MountEntry("3:4", "/", "tmpfs", "", "rw")),
        (
            b"1 2 3:4 / /\xc3\xa9 rw - fuse.sshfs h:\\134134 rw\n",
            MountEntry("3:4", "/é", "fuse.sshfs", "h:\\134", "rw"),
        ),
        (
            rb"1 2 3:4 / / rw - cifs \\host\share\777\04 rw,x=\9",
            MountEntry("3:4", "/", "cifs", r"\\host\share\777\04", r"rw,x=\9"),
        ),
    ],
)
def test_lines(line, entry):
    assert parse(line) == entry


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"1 2 3:4 / / rw - tmpfs rw", b"1 2 - tmpfs tmpfs rw"]
)
def test_what_is_no_mount_is_a_value_error(line):
    with pytest.raises(ValueError):
        parse(line)


def test_a_newline_in_options_hides_no_other_mount(tmp_path, monkeypatch):
    line = b"1 2 3:4 / /mnt rw - tmpfs none rw"
    (tmp_path / "mountinfo").write_bytes(line + b",name=a\nb c\n" + line)
    monkeypatch.setattr(mountinfo, "_MOUNTINFO", str(tmp_path / "mountinfo"))
    assert [mount.options for mount in mounts()] == ["rw,name=a", "rw"]


def test_a_mount_point_is_told_from_other_directories(tmp_path):
    """A bind mount has the device of the directory above it; its mount differs all the same."""

    def work():
        small_tmpfs(tmp_path, "1m")
        for name in ("plain", "source", "bound"):
            os.mkdir(f"{tmp_path}/{name}")
        os.symlink("bound", f"{tmp_path}/link")
        libc.mount(f"{tmp_path}/source", f"{tmp_path}/bound", "", libc.MS_BIND)
        names = ("", "/plain", "/bound", "/link", "/absent", "/absent/below")
        return [is_mount_point(f"{tmp_path}{name}") for name in names]

    assert in_child(work) == [True, False, True, False, False, False]
