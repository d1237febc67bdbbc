"""Proves that firmware is found where a bundle's mounts lie over its image, as the kernel finds it
when runc has mounted them, and that no mount leads out of what the caller has given."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.images.rootfs import open_in_root
from adapters.images.staging import FirmwareStaging
from domain.errors import HostFault, InvalidRequest, NotFound, RemoteprocError, Unsupported
from domain.mounts import BundleMount, ImageFiles
from tests.sandbox import in_child, private_mounts

_MS_BIND, _MS_REC = 0x1000, 0x4000


@pytest.fixture
def image(tmp_path):
    for place in ("rootfs/fw", "rootfs/lib", "host/dir/deep", "outside"):
        (tmp_path / place).mkdir(parents=True)
    for name in ("fw/a.elf", "a.elf"):
        (tmp_path / "rootfs" / name).write_text(f"rootfs/{name}")
    for name in ("host/b.elf", "host/dir/c.elf", "host/dir/deep/d.elf", "outside/c.elf"):
        (tmp_path / name).write_text(name)
    (tmp_path / "rootfs/link").symlink_to("fw")
    (tmp_path / "host/dir/absolute.elf").symlink_to("/a.elf")
    (tmp_path / "host/dir/up.elf").symlink_to("../../outside/c.elf")
    (tmp_path / "host/away").symlink_to("dir")
    return tmp_path


def read(image, path, *mounts):
    copy = str(image / "copy")
    listed = [
        BundleMount(where, f"{image}/{what}" if kind == "bind" else "", kind)
        for where, what, kind in ((*mount, "bind")[:3] for mount in mounts)
    ]
    FirmwareStaging().stage(ImageFiles(str(image / "rootfs"), "/", listed), path, copy)
    with open(copy) as file:
        return file.read()


@pytest.mark.parametrize(
    ("path", "mounts", "found"),
    [
        ("/fw/a.elf", [("/fw/a.elf", "host/b.elf")], "host/b.elf"),
        ("/a.elf", [("/fw/a.elf", "host/b.elf")], "rootfs/a.elf"),
        ("/fw/c.elf", [("/fw", "host/dir")], "host/dir/c.elf"),
        ("/new/place/b.elf", [("/new/place/b.elf", "host/b.elf")], "host/b.elf"),
        ("/fw/c.elf", [("link", "host/dir")], "host/dir/c.elf"),
        ("/link/c.elf", [("/fw", "host/dir")], "host/dir/c.elf"),
        ("/fw/a.elf", [("/fw", "host/dir"), ("/fw/a.elf", "host/b.elf")], "host/b.elf"),
        ("/fw/deep/x", [("/fw", "host/dir"), ("/fw/deep/x", "host/b.elf")], "host/b.elf"),
        ("/fw/c.elf", [("/fw", "host"), ("/fw", "host/dir")], "host/dir/c.elf"),
        ("/fw/c.elf", [("/fw/c.elf", "host/b.elf"), ("/fw", "host/dir")], "host/dir/c.elf"),
        ("/fw/../a.elf", [("/fw", "host/dir")], "rootfs/a.elf"),
        ("/fw/absolute.elf", [("/fw", "host/dir")], "rootfs/a.elf"),
        ("/fw/c.elf", [("/fw", "host/away")], "host/dir/c.elf"),
        ("/fw/x/c.elf", [("/fw", "", "tmpfs"), ("/fw/x", "host/dir")], "host/dir/c.elf"),
    ],
)
def test_a_mount_shows_its_source(image, path, mounts, found):
    assert read(image, path, *mounts) == found


@pytest.mark.parametrize(
    ("path", "mounts", "kind", "words"),
    [
        ("/fw/a.elf", [("/fw", "host/dir")], NotFound,
         "firmware /fw/a.elf is not in {image}/host/dir (mounted on /fw)"),
        ("/fw/a.elf", [("/fw", "", "tmpfs")], NotFound, "is not in tmpfs (mounted on /fw)"),
        ("/fw/up.elf", [("/fw", "host/dir")], NotFound, "links to ../../outside/c.elf"),
        ("/fw/a.elf", [("/fw", "", "nfs")], Unsupported, "the nfs mount at /fw"),
        ("/fw/a.elf", [("/fw", "gone")], HostFault, "cannot mount {image}/gone on /fw: no such"),
        ("/fw/a.elf", [("/fw/a.elf", "host/dir")], InvalidRequest, "/fw/a.elf is a directory"),
        ("/fw/a.elf", [("/a.elf/x", "host/dir")], InvalidRequest, "host/dir on /a.elf/x: Not a d"),
        ("/fw/a.elf", [("/", "host/dir")], InvalidRequest, "cannot mount {image}/host/dir on /: "),
        ("/x", [("/x/y", "host/b.elf")], InvalidRequest, "firmware /x is a directory"),
    ],
)  # fmt: skip
def test_what_a_mount_hides_is_not_found(image, path, mounts, kind, words):
    with pytest.raises(kind) as caught:
        read(image, path, *mounts)
    assert words.format(image=image) in str(caught.value)
    assert not (image / "copy").exists()


def test_a_mount_elsewhere_needs_no_source(image):
    mounts = [("/etc/hosts", "gone"), ("/other", "", "nfs"), ("/other/x", "gone")]
    assert read(image, "/fw/a.elf", *mounts) == "rootfs/fw/a.elf"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_an_overlay_shows_its_layers(image):
    upper = image / "upper"
    (upper / "deep").mkdir(parents=True)
    (upper / "changed.elf").write_text("upper/changed.elf")
    os.mknod(upper / "c.elf", stat.S_IFCHR, os.makedev(0, 0))  # as overlayfs notes a removal
    layers = f"{upper}:{image}/host/dir"
    mounts = [BundleMount("/fw", kind="overlay", layers=layers)]
    with open("/proc/self/mountinfo") as file:
        before = file.read()
    source = FirmwareStaging()
    for path, found in (
        ("/fw/changed.elf", "upper/changed.elf"),
        ("/fw/deep/d.elf", "host/dir/deep/d.elf"),
    ):
        copy = image / os.path.basename(path)
        source.stage(ImageFiles(str(image / "rootfs"), "/", mounts), path, str(copy))
        assert copy.read_text() == found
    with pytest.raises(NotFound):
        source.stage(ImageFiles(str(image / "rootfs"), "/", mounts), "/fw/c.elf", f"{image}/copy")
    with open("/proc/self/mountinfo") as file:
        assert file.read() == before


# --- Random trees and mounts against an independent judge: the kernel, with the mounts made.

NAMES = ["a", "b", "c"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
TARGETS = PATHS | PATHS.map("/{}".format) | PATHS.map("../{}".format)
ENTRIES = st.lists(
    st.tuples(PATHS, st.sampled_from(["dir", "file", "file", "link"]), TARGETS), max_size=10
)
MOUNTS = st.lists(
    st.tuples(PATHS, st.one_of(PATHS.map("source/{}".format), st.just("tmpfs"))), max_size=5
)


def build(top, root_entries, source_entries):
    """Make a root and the sources of mounts, both below `top`."""
    for name, entries in (("root", root_entries), ("source", source_entries)):
        os.mkdir(f"{top}/{name}")
        for path, kind, target in entries:
            path = f"{top}/{name}/{path}"
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                if kind == "dir":
                    os.mkdir(path)
                elif kind == "file":
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
                else:
                    os.symlink(target, path)
            except OSError:
                continue  # the name is taken, or what is above is no directory
    return {
        os.stat(f"{folder}/{name}").st_ino: f"{folder}/{name}".removeprefix(top)
        for folder, _, names in os.walk(top)
        for name in ("", *names)
        if not os.path.islink(f"{folder}/{name}")
    }


MADE = "made for a mount"  # which the runtime does not make: it is nothing, or a directory


def seen(status, files):
    name = files.get(status.st_ino, MADE)
    return name if stat.S_ISREG(status.st_mode) or name == MADE else "a directory"


def bind(source, target):
    libc = ctypes.CDLL(None, use_errno=True)
    kind = b"tmpfs" if source == "tmpfs" else b"none"
    flags = 0 if source == "tmpfs" else _MS_BIND | _MS_REC
    if libc.mount(source.encode(), target.encode(), kind, ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def judge(top, mounts, paths, files):
    """Make the mounts, then look from inside the root; return which mounts could be made, too."""
    private_mounts()
    outside, root = os.open("/", os.O_RDONLY), f"{top}/root"

    def inside(function):
        os.chroot(root)
        os.chdir("/")
        try:
            return function()
        finally:
            os.fchdir(outside)
            os.chroot(".")

    def make(path, folder):
        if os.path.lexists(path):
            return
        os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)
        if not folder:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))

    made = []
    for where, what in mounts:
        source = what if what == "tmpfs" else f"{top}/{what}"
        try:
            folder = what == "tmpfs" or stat.S_ISDIR(os.stat(source).st_mode)
            inside(lambda where=where, folder=folder: make(f"/{where}", folder))
            place = inside(lambda where=where: os.open(f"/{where}", os.O_PATH))
            bind(source, f"/proc/self/fd/{place}")
            made.append((where, what))
        except OSError:
            continue

    def look(path):
        try:
            return seen(os.stat(path), files)
        except OSError:
            return None

    return made, inside(lambda: [look(path) for path in paths])


def resolve(root, path, mounts, files):
    try:
        found = open_in_root(root, path, mounts)
    except RemoteprocError:
        return None
    try:
        return seen(os.fstat(found), files)
    finally:
        os.close(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@settings(max_examples=60)
@given(ENTRIES, ENTRIES, MOUNTS, st.lists(PATHS.map("/{}".format), min_size=6, max_size=6))
def test_random_mounts_as_the_kernel_makes_them(entries, sources, mounts, paths):
    tops = [tempfile.mkdtemp(), tempfile.mkdtemp()]
    try:
        files, same_files = (build(top, entries, sources) for top in tops)
        paths += [f"/{where}" for where, _ in mounts]
        paths += [f"/{where}/{name}" for where, _ in mounts for name in NAMES]
        paths += [f"/{path}" for path, _, _ in entries]

        made, expected = in_child(lambda: judge(tops[0], mounts, paths, files))
        listed = [
            BundleMount(f"/{where}", kind="tmpfs")
            if what == "tmpfs"
            else BundleMount(f"/{where}", f"{tops[1]}/{what}")
            for where, what in made
        ]
        root = os.open(f"{tops[1]}/root", os.O_PATH)
        try:
            for path, there in zip(paths, expected, strict=True):
                found = resolve(root, path, listed, same_files)
                wanted = (None, MADE, "a directory") if there == MADE else (there,)
                assert found in wanted, (path, made)
        finally:
            os.close(root)
    finally:
        for top in tops:
            shutil.rmtree(top)
