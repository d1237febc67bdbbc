"""Proves that firmware is copied out of an image whole and from inside its root only, and that
every refusal is one clear line that leaves nothing behind."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import resource
import shutil
import socket
import stat
import tempfile
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.images.near_miss import near_miss
from adapters.images.rootfs import open_in_root
from adapters.images.staging import FirmwareStaging
from domain.errors import Forbidden, HostFault, InvalidRequest, NotFound, RemoteprocError
from domain.mounts import ImageFiles
from tests.sandbox import chroot, in_child, small_tmpfs

CONTENT = os.urandom(300_000)


@pytest.fixture(autouse=True)
def no_descriptor_leaks():
    gc.collect()  # else the descriptors of earlier tests' garbage may be closed meanwhile
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert set(os.listdir("/proc/self/fd")) <= before


@pytest.fixture
def image(tmp_path):
    """An image's root with all kinds of files; `outside` is what must never be read."""
    root = tmp_path / "rootfs"
    (root / "usr/lib/firmware").mkdir(parents=True)
    (root / "usr/lib/firmware/blink.elf").write_bytes(CONTENT)
    (root / "lib").symlink_to("usr/lib")
    (root / "etc").mkdir()
    (root / "etc/hostname").write_bytes(b"inside")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_bytes(b"outside")
    links = {
        "relative.elf": "lib/firmware/blink.elf",
        "absolute.elf": "/lib/firmware/blink.elf",
        "up.elf": "../../../../../etc/hostname",
        "outside.elf": str(tmp_path / "etc/hostname"),
        "shadow.elf": "/etc/shadow",
        "loop.elf": "/loop2.elf",
        "loop2.elf": "loop.elf",
        "slash.elf": "etc/hostname/",
        "proc.elf": "/proc/self/exe",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    (root / "empty.elf").touch()
    with open(root / "huge.elf", "wb") as huge:
        huge.truncate((64 << 20) + 1)
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    return root


@pytest.mark.parametrize(
    ("cwd", "name", "content"),
    [
        ("/", "/usr/lib/firmware/blink.elf", CONTENT),
        ("/", "usr/lib/firmware/blink.elf", CONTENT),
        ("/usr/lib/firmware", "blink.elf", CONTENT),
        ("/usr/lib/firmware/", "./blink.elf", CONTENT),
        ("", "usr/lib/firmware/blink.elf", CONTENT),
        ("/nowhere", "/usr/lib//firmware/./blink.elf", CONTENT),
        ("/etc", "../usr/lib/firmware/blink.elf", CONTENT),
        ("/lib/firmware", "blink.elf", CONTENT),
        ("/", "relative.elf", CONTENT),
        ("/", "/absolute.elf", CONTENT),
        ("/", "lib/../../usr/lib/firmware/blink.elf", None),
        ("/", "lib/../lib/firmware/blink.elf", CONTENT),
        ("/", "up.elf", b"inside"),
    ],
)
def test_copies(image, tmp_path, cwd, name, content):
    destination = str(tmp_path / "copy")
    source = FirmwareStaging()
    if content is None:
        with pytest.raises(InvalidRequest, match="climbs out"):
            source.stage(ImageFiles(str(image), cwd), name, destination)
        return
    found = source.stage(ImageFiles(str(image), cwd), name, destination)
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    assert found == (name, len(content), digest, destination)
    with open(destination, "rb") as copy:
        assert copy.read() == content
    assert stat.S_IMODE(os.stat(destination).st_mode) == 0o600


@pytest.mark.parametrize(
    ("cwd", "name", "kind", "message"),
    [
        ("/", "../../etc/hostname", InvalidRequest, "climbs out of the image's root (from /)"),
        ("/usr", "../../etc/hostname", InvalidRequest, "climbs out of the image's root"),
        ("/", "/../etc/hostname", InvalidRequest, "climbs out of the image's root"),
        ("/..", "etc/hostname", InvalidRequest, "climbs out of the image's root"),
        ("/", "", InvalidRequest, "no entry point"),
        ("/", "a\0b", InvalidRequest, "has a NUL byte"),
        ("/", "\ud800.elf", InvalidRequest, "cannot be a file name"),
        ("/", "blink.elf", NotFound,
         "firmware /blink.elf is not in the image: no such file or directory; "
         "did you mean usr/lib/firmware/blink.elf?"),
        ("/usr", "blink.elf", NotFound, "; did you mean /usr/lib/firmware/blink.elf?"),
        ("/", "/Blink", NotFound, "; did you mean /usr/lib/firmware/blink.elf?"),
        ("/", "usr/lib/firmware/blnik.elf", NotFound, "did you mean usr/lib/firmware/blink.elf?"),
        ("/", "usr/lib/firmware/blink.elf ", NotFound,
         'firmware "/usr/lib/firmware/blink.elf " is not in the image: no such file or di'),
        ("/", "etc/hostname\r", NotFound,
         'firmware "/etc/hostname\\r" is not in the image: no such file or directory; '
         "did you mean etc/hostname?"),
        ("/", "pump.bin", NotFound, "firmware /pump.bin is not in the image: no such "),
        ("/", "ls", NotFound, "firmware /ls is not in the image"),
        ("/opt", "a/b.elf", NotFound, "/opt/a/b.elf is not in the image: it has no /opt: no such"),
        ("/", "shadow.elf", NotFound,
         "/shadow.elf links to /etc/shadow, and the image has no /etc/shadow: no such file or "),
        ("/", "outside.elf", NotFound, "links to {tmp}/etc/hostname, and the image has no /"),
        ("/", "proc.elf", NotFound, "links to /proc/self/exe, and the image has no /proc:"),
        ("/", "lib/none.elf", NotFound, "and the image has no /usr/lib/none.elf:"),
        ("/", "etc/hostname/x", NotFound, "/etc/hostname/x, but /etc/hostname is not a directory"),
        ("/", "etc/hostname/", NotFound, "/etc/hostname/, but /etc/hostname is not a directory"),
        ("/", "etc/hostname/..", NotFound, "but /etc/hostname is not a directory"),
        ("/", "slash.elf", NotFound, "etc/hostname/, but /etc/hostname is not a directory"),
        ("/", "loop.elf", InvalidRequest, "too many symbolic links, or a circle of them"),
        ("/", "n" * 256, InvalidRequest, "File name too long (ENAMETOOLONG)"),
        ("/", "n/" * 2100, InvalidRequest, "File name too long (ENAMETOOLONG)"),
        ("/", "etc", InvalidRequest, "firmware /etc is a directory, not a regular file"),
        ("/", "/", InvalidRequest, "firmware / is a directory"),
        ("/", "fifo", InvalidRequest, "firmware /fifo is a FIFO, not a regular file"),
        ("/", "socket", InvalidRequest, "firmware /socket is a socket"),
        ("/", "empty.elf", InvalidRequest, "firmware /empty.elf is empty"),
        ("/", "huge.elf", InvalidRequest, "has 67108865 bytes or more, over the limit of 67108864"),
    ],
)  # fmt: skip
def test_refuses(image, tmp_path, cwd, name, kind, message):
    destination = tmp_path / "copy"
    with pytest.raises(kind) as caught:
        FirmwareStaging().stage(ImageFiles(str(image), cwd), name, str(destination))
    text = str(caught.value)
    assert message.format(tmp=tmp_path) in text
    assert "\n" not in text
    assert len(text) < 500
    assert not destination.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="making a device takes root")
@pytest.mark.parametrize("kind", ["character", "block"])
def test_devices_are_not_opened(image, tmp_path, kind):
    # A number that no driver has: to open it would fail, to look at it does not.
    mode = stat.S_IFCHR if kind == "character" else stat.S_IFBLK
    os.mknod(image / "device", mode | 0o600, os.makedev(510, 77))
    with pytest.raises(InvalidRequest, match=f"/device is a {kind} device, not a regular file"):
        FirmwareStaging().stage(ImageFiles(str(image), "/"), "device", str(tmp_path / "copy"))


@pytest.mark.parametrize(
    ("rootfs", "kind", "message"),
    [
        ("{tmp}/none", NotFound, "cannot open the root filesystem {tmp}/none: No such file"),
        ("{tmp}/rootfs/empty.elf", NotFound, "Not a directory (ENOTDIR)"),
        ("{tmp}/a\0b", InvalidRequest, "is no file name"),
        ("{tmp}/" + "n" * 300, HostFault, "File name too long (ENAMETOOLONG)"),
    ],
)
def test_bad_root(image, tmp_path, rootfs, kind, message):
    with pytest.raises(kind) as caught:
        FirmwareStaging().stage(
            ImageFiles(rootfs.format(tmp=tmp_path), "/"), "x", str(tmp_path / "copy")
        )
    assert message.format(tmp=tmp_path) in str(caught.value)


def test_limit_is_the_largest_size_taken(image, tmp_path):
    stage, copy = FirmwareStaging(limit=6).stage, tmp_path / "c1/copy"
    copy.parent.mkdir()
    assert stage(ImageFiles(str(image)), "etc/hostname", str(copy)).size == 6
    with pytest.raises(InvalidRequest, match="over the limit of 5"):
        FirmwareStaging(limit=5).stage(
            ImageFiles(str(image), "/"), "etc/hostname", str(tmp_path / "other")
        )


def test_the_containers_of_a_state_root_hold_a_bounded_amount(image, tmp_path):
    staging, root = FirmwareStaging(limit=6), tmp_path / "containers"

    def stage(container):
        (root / container).mkdir(parents=True)
        staging.stage(
            ImageFiles(str(image), "/"), "etc/hostname", str(root / container / "firmware")
        )

    for container in ("c1", "c2", "c3", "@new-c4-1"):
        stage(container)
    says = "of 6 bytes: the containers in .* hold 24, and at most 24 .* delete containers"
    with pytest.raises(HostFault, match=says):
        stage("c5")
    assert os.listdir(root / "c5") == []
    shutil.rmtree(root / "c1")
    shutil.rmtree(root / "c5")
    stage("c5")


def test_file_that_grows_while_copied(image, tmp_path):
    staging, destination = FirmwareStaging(limit=1000), tmp_path / "c1/copy"
    destination.parent.mkdir()
    with open(image / "usr/lib/firmware/blink.elf", "rb") as source:
        with pytest.raises(InvalidRequest, match="over the limit of 1000"):
            staging._copy(source.fileno(), "/blink.elf", str(destination))
        assert not destination.exists()
        source.seek(0, os.SEEK_END)  # as if it were cut to nothing
        with pytest.raises(InvalidRequest, match="emptied while it was copied"):
            staging._copy(source.fileno(), "/blink.elf", str(destination))
    assert not destination.exists()


@pytest.mark.parametrize("what", ["file", "link"])
def test_destination_is_never_overwritten(image, tmp_path, what):
    destination, precious = tmp_path / "copy", tmp_path / "precious"
    precious.write_bytes(b"precious")
    if what == "file":
        destination.write_bytes(b"precious")
    else:
        destination.symlink_to(precious)
    with pytest.raises(HostFault, match=r"copy: File exists \(EEXIST\)"):
        FirmwareStaging().stage(ImageFiles(str(image), "/"), "relative.elf", str(destination))
    assert destination.read_bytes() == precious.read_bytes() == b"precious"


def test_a_guess_at_what_was_meant_takes_a_moment_only(tmp_path):
    for number in range(1500):
        (tmp_path / f"{number:04}{'ab' * 90}{'a' * (number % 19)}").touch()
    before = time.process_time()
    assert guess(tmp_path, f"/{'ba' * 95}.elf") == ""
    assert time.process_time() - before < 1


def test_a_guess_does_not_look_into_directories_without_end(tmp_path):
    deep = tmp_path / ("d/" * 17)
    deep.mkdir(parents=True)
    (deep / "blink.elf").touch()
    assert guess(tmp_path, "/blink.elf") == ""
    (deep.parent / "blink.elf").touch()
    assert guess(tmp_path, "/blink.elf") == f"/{'d/' * 16}blink.elf"


def guess(image, path):
    root = os.open(image, os.O_PATH)
    try:
        return near_miss(root, path)
    finally:
        os.close(root)


def test_write_error_removes_the_partial_copy(image, tmp_path):
    destination = tmp_path / "copy"
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, old[1]))
    try:
        with pytest.raises(HostFault) as caught:
            FirmwareStaging().stage(ImageFiles(str(image), "/"), "relative.elf", str(destination))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert f"cannot copy firmware to {destination}: File too large (EFBIG)" in str(caught.value)
    assert not destination.exists()


def test_no_space(image, tmp_path):
    full = tmp_path / "full"
    full.mkdir()

    def attempt():
        small_tmpfs(full, "64k")
        with pytest.raises(HostFault) as caught:
            FirmwareStaging().stage(ImageFiles(str(image), "/"), "relative.elf", str(full / "copy"))
        return str(caught.value), os.listdir(full)

    text, left = in_child(attempt)
    assert "full/copy: No space left on device (ENOSPC); make room there" in text
    assert left == []


@pytest.mark.parametrize("closed", ["usr/lib/firmware/blink.elf", "usr/lib", "usr/lib/firmware"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_permission(image, tmp_path, closed):
    public = tempfile.mkdtemp()
    try:
        os.chmod(public, 0o777)
        shutil.copytree(image / "usr", f"{public}/usr")
        os.chmod(f"{public}/{closed}", 0)

        def attempt():
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            with pytest.raises(HostFault) as caught:
                FirmwareStaging().stage(
                    ImageFiles(public, "/"), "usr/lib/firmware/blink.elf", f"{public}/copy"
                )
            return str(caught.value), caught.value.errno

        text, number = in_child(attempt)
        assert number == 13
        assert "firmware /usr/lib/firmware/blink.elf" in text
        assert "Permission denied (EACCES)" in text
        assert not os.path.exists(f"{public}/copy")
    finally:
        shutil.rmtree(public)


def test_forty_links_are_followed_and_no_more(image):
    (image / "l0").symlink_to("etc/hostname")
    for i in range(1, 41):
        (image / f"l{i}").symlink_to(f"l{i - 1}")
    root = os.open(image, os.O_PATH)
    try:
        os.close(open_in_root(root, "/l39"))
        with pytest.raises(InvalidRequest, match="too many symbolic links"):
            open_in_root(root, "/l40")
    finally:
        os.close(root)


# --- Random trees against an independent judge: the kernel's own chroot.

NAMES = ["a", "b", "c"]
PARTS = st.sampled_from([*NAMES, "..", ".", ""])
PATHS = st.lists(PARTS, min_size=1, max_size=6).map("/".join).filter(bool)
TARGETS = PATHS | PATHS.map("/{}".format) | st.just("<outside>").map(lambda o: f"{o}/a")
ENTRIES = st.lists(
    st.tuples(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
        st.sampled_from(["dir", "file", "link", "link", "link"]),
        TARGETS,
    ),
    max_size=12,
)


def build(top, entries):
    """Make a root from random entries, beside files of the same names that lie outside."""
    root = os.path.join(top, "deep/root")
    os.makedirs(root)
    outside = set()
    for place in (top, f"{top}/deep"):
        for name in NAMES:
            with open(f"{place}/{name}", "w") as file:
                outside.add(os.fstat(file.fileno()).st_ino)
    for parts, kind, target in entries:
        path = os.path.join(root, *parts)
        above = os.path.dirname(path)
        try:
            if not os.path.realpath(above).startswith(root):
                continue
            os.makedirs(above, exist_ok=True)
            if kind == "dir":
                os.mkdir(path)
            elif kind == "file":
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
            else:
                os.symlink(target.replace("<outside>", top), path)
        except OSError:
            continue  # the name is taken, or what is above is not a directory
    return root, outside


def judge(root, paths):
    """Stat each path in a child that has made `root` its root directory."""

    def look():
        chroot(root)
        found: list[tuple[int, int] | None] = []
        for path in paths:
            try:
                status = os.stat(path)
                found.append((status.st_dev, status.st_ino))
            except OSError:
                found.append(None)
        return found

    return in_child(look)


def resolve(root, path):
    try:
        found = open_in_root(root, path)
    except RemoteprocError:
        return None
    try:
        status = os.fstat(found)
        return status.st_dev, status.st_ino
    finally:
        os.close(found)


@settings(max_examples=120)
@given(ENTRIES, st.lists(PATHS.map("/{}".format), min_size=8, max_size=8))
def test_random_trees_as_chroot_sees_them(entries, paths):
    top = tempfile.mkdtemp()
    try:
        path, outside = build(top, entries)
        # Every name there is, besides the random ones.
        paths = paths + ["/" + "/".join(parts) for parts, _, _ in entries]
        expected = judge(path, paths)
        root = os.open(path, os.O_PATH | os.O_DIRECTORY)
        try:
            found = [resolve(root, p) for p in paths]
            assert found == expected
            assert not outside & {inode for _, inode in filter(None, found)}
        finally:
            os.close(root)
    finally:
        shutil.rmtree(top)


@pytest.mark.parametrize(
    ("path", "attack"),
    [
        ("/dir/secret", "a link to the outside takes the directory's place"),
        ("/dir/sub/../../secret", "the directory is moved out of the root"),
    ],
)
def test_races_never_lead_outside(tmp_path, path, attack):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "dir/sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_bytes(b"outside")
    (tmp_path / "secret").write_bytes(b"outside")
    (root / "link").symlink_to(outside)
    forbidden = {(outside / "secret").stat().st_ino, (tmp_path / "secret").stat().st_ino}
    done = threading.Event()

    def swap():
        while not done.is_set():
            if "link" in attack:
                os.rename(root / "dir", root / "aside")
                os.rename(root / "link", root / "dir")
                os.rename(root / "dir", root / "link")
                os.rename(root / "aside", root / "dir")
            else:
                os.rename(root / "dir/sub", outside / "sub")
                os.rename(outside / "sub", root / "dir/sub")

    attacker = threading.Thread(target=swap)
    held = os.open(root, os.O_PATH)
    attacker.start()
    try:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            found = resolve(held, path)
            assert found is None or found[1] not in forbidden
    finally:
        done.set()
        attacker.join()
        os.close(held)


# --- signatures -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (os.mkfifo, "is a FIFO"),
        (os.mkdir, "is a directory"),
        (lambda path: open(path, "w").close(), "is empty"),
        (lambda path: os.symlink("hello.elf.sig", path), "too many symbolic links"),
        (lambda path: os.symlink("/etc/hostname", path), "the image has no hello.elf.sig"),
        (lambda path: os.symlink("/hello.elf", path), "is no Ed25519 signature"),
    ],
)
def test_a_signature_that_is_none_is_refused_at_once(tmp_path, make, says):
    """It must not block, and nothing outside of the image is read."""
    (tmp_path / "image").mkdir()
    (tmp_path / "image/hello.elf").write_bytes(b"\x7fELF hello")
    make(tmp_path / "image/hello.elf.sig")
    source, rootfs = FirmwareStaging(), str(tmp_path / "image")
    firmware = source.stage(ImageFiles(rootfs, "/"), "hello.elf", str(tmp_path / "firmware"))
    with pytest.raises(Forbidden, match=re.escape(says)) as refusal:
        source.verify(ImageFiles(rootfs, "/"), firmware, [])
    assert "openssl pkeyutl" in refusal.value.hint
