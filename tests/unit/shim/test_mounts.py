"""What containerd asks to mount is mounted inside the root, whatever links the image has."""

import os
from types import SimpleNamespace

import pytest

from adapters.containerd.mounts import mount_all, unmount_all
from adapters.linux.mountinfo import mounts
from domain.errors import HostFault
from tests.sandbox import in_child, small_tmpfs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


def bind(source, target="", *options):
    return SimpleNamespace(
        type="bind", source=str(source), target=target, options=["rbind", *options]
    )


@pytest.fixture
def place(tmp_path):
    """An image with links to the host, the host's directory, and what is to be mounted."""
    for name in ("bundle", "image/real", "host", "data"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "host" / "file").write_text("the host's")
    (tmp_path / "data" / "file").write_text("mounted")
    links = {
        "absolute": f"{tmp_path}/host",
        "relative": "../" * 30 + f"{tmp_path}/host",
        "inside": "/real",
        "up": "..",
    }
    for name, target in links.items():
        (tmp_path / "image" / name).symlink_to(target)
    return tmp_path


def points():
    return sorted(mount.point for mount in mounts())


def within(place, function):
    """Run the function in a mount namespace of its own; return what it returns."""

    def run():
        os.makedirs(f"{place}/private", exist_ok=True)
        small_tmpfs(f"{place}/private", 4096)
        return function()

    return in_child(run)


@pytest.mark.parametrize(
    "target",
    ["absolute", "relative", "up/host", "../host", "../../../../../../../../host", "up/.."],
)
def test_no_target_leads_out_of_the_root(place, target):
    root = f"{place}/bundle/rootfs"
    (place / "image" / "host").mkdir()

    def attempt():
        before = points()
        try:
            mount_all([bind(place / "image"), bind(place / "data", target)], root)
        except HostFault as error:
            assert points() == before, "what was mounted is unmounted"
            return str(error)
        assert (place / "host" / "file").read_text() == "the host's"
        assert set(os.listdir(place)) == {"bundle", "image", "host", "data", "private"}
        found = [point for point in points() if point not in before]
        unmount_all(root)
        assert points() == before
        return found

    found = within(place, attempt)
    if isinstance(found, str):
        assert "No such file or directory (ENOENT)" in found and target in found
    else:
        assert all(point == root or point.startswith(f"{root}/") for point in found) and found


def test_a_link_is_followed_inside_the_root(place):
    root = f"{place}/bundle/rootfs"

    def attempt():
        before = points()
        mount_all([bind(place / "image"), bind(place / "data", "inside", "ro")], root)
        with open(f"{root}/real/file") as file:
            text = file.read()
        with pytest.raises(OSError, match="Read-only"):
            open(f"{root}/real/new", "w").close()
        open(f"{place}/data/new", "w").close()
        unmount_all(root)
        return text, points() == before

    assert within(place, attempt) == ("mounted", True)


def test_what_failed_is_undone_in_one_line(place):
    root = f"{place}/bundle/rootfs"

    def attempt():
        before = points()
        with pytest.raises(HostFault) as caught:
            mount_all([bind(place / "image"), bind(place / "absent", "real")], root)
        return str(caught.value), points() == before

    text, same = within(place, attempt)
    assert same and text.startswith(f"cannot mount {place}/absent (bind) on {root}/real: No such")
