"""Directories of the runtime's own are private, and nobody else can put others in their place."""

import os
import stat
import tempfile

import pytest

from adapters.linux.directories import check_private, private_directory
from domain.errors import HostFault
from tests.sandbox import in_child

NOBODY = 65534


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
def test_every_level_is_private_whatever_the_umask(tmp_path, umask):
    path = f"{tmp_path}/a/b/c"
    before = os.umask(umask)
    try:
        private_directory(path)
        private_directory(path)
    finally:
        os.umask(before)
    assert [mode(f"{tmp_path}/{each}") for each in ("a", "a/b", "a/b/c")] == [0o700] * 3
    check_private(path)


@pytest.mark.parametrize("bits", [0o1777, 0o777, 0o770, 0o720, 0o702])
def test_a_directory_that_others_may_write_is_refused(tmp_path, bits):
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(bits)
    for use in (private_directory, check_private):
        with pytest.raises(HostFault, match=rf"can write to directory {place}; .*chmod go-w"):
            use(str(place))


@pytest.mark.parametrize("bits", [0o777, 0o770, 0o702])
def test_what_leads_there_must_not_be_writable_by_others_either(tmp_path, bits):
    (tmp_path / "above" / "mine").mkdir(parents=True)
    (tmp_path / "above").chmod(bits)
    for path in ("above/mine", "above/new"):
        with pytest.raises(HostFault, match=rf"{tmp_path}/above, which leads to .*{path}"):
            private_directory(f"{tmp_path}/{path}")
    assert not (tmp_path / "above" / "new").exists()


def test_in_a_shared_directory_what_is_mine_is_mine(tmp_path):
    """Others can neither remove it nor rename it, as its mode is 1777."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    private_directory(f"{tmp_path}/shared/mine/too")
    check_private(f"{tmp_path}/shared/mine/too")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give files away")
@pytest.mark.parametrize("what", ["directory", "above", "link"])
def test_what_is_another_users_is_refused(tmp_path, what):
    shared = tmp_path / "shared"
    (shared / "theirs").mkdir(parents=True)
    shared.chmod(0o1777)
    (tmp_path / "mine").mkdir()
    (shared / "link").symlink_to(tmp_path / "mine")
    os.chown(shared / "theirs", NOBODY, NOBODY)
    os.chown(shared / "link", NOBODY, NOBODY, follow_symlinks=False)
    path = {"directory": "theirs", "above": "theirs/new", "link": "link/new"}[what]
    for use in (private_directory, check_private):
        with pytest.raises(HostFault, match=f"belongs to user {NOBODY}"):
            use(f"{shared}/{path}")
    assert not (shared / "theirs" / "new").exists() and not (tmp_path / "mine" / "new").exists()


def test_my_own_links_are_followed_and_what_they_lead_to_is_checked(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("./real/../real")
    (tmp_path / "absolute").symlink_to(tmp_path / "link")
    private_directory(f"{tmp_path}/absolute/new")
    assert mode(tmp_path / "real" / "new") == 0o700
    (tmp_path / "real").chmod(0o777)
    with pytest.raises(HostFault, match=rf"{tmp_path}/real, which leads to"):
        check_private(f"{tmp_path}/absolute/new")


def test_what_is_no_directory_and_what_has_no_end(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(HostFault, match="Not a directory"):
        private_directory(f"{tmp_path}/file/x")
    with pytest.raises(HostFault, match="Too many levels"):
        private_directory(f"{tmp_path}/loop/x")
    with pytest.raises(HostFault, match="No such file"):
        private_directory("/proc/absent/x")
    check_private(f"{tmp_path}/absent/x")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_a_user_keeps_files_below_what_is_roots():
    with tempfile.TemporaryDirectory() as place:  # pytest's own are closed to other users
        os.chmod(place, 0o755)
        home = f"{place}/home"
        os.mkdir(home)
        os.chown(home, NOBODY, NOBODY)

        def use():
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.chdir(home)
            private_directory("mine")
            return mode("mine")

        with pytest.raises(HostFault, match=f"{home}, which leads to"):
            check_private(f"{home}/mine")
        assert in_child(use) == 0o700
