"""Proves whose name a process has, also in a user namespace."""

from __future__ import annotations

import os
import pwd

import pytest

from adapters.linux.libc import CLONE_NEWUSER, unshare
from adapters.linux.users import user_names
from tests.contract.children import spawn, status_of


def test_name_and_id():
    assert user_names() == [pwd.getpwuid(os.geteuid()).pw_name, str(os.geteuid())]


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")
@pytest.mark.parametrize(
    ("user", "names"), [(65534, ["nobody", "65534"]), (54321, ["54321"]), (0, ["root", "0"])]
)
def test_another_user_and_the_root_of_that_users_namespace(user, names):
    def plain():
        os.setuid(user)
        assert user_names() == names

    ready, mapped = os.pipe(), os.pipe()

    def within():
        unshare(CLONE_NEWUSER)
        os.write(ready[1], b"!")
        os.read(mapped[0], 1)
        os.setuid(0)
        assert os.geteuid() == 0 and user_names() == names

    assert status_of(spawn(plain)) == 0
    pid = spawn(within)
    assert os.read(ready[0], 1) == b"!"
    with open(f"/proc/{pid}/uid_map", "w") as file:
        file.write(f"0 {user} 1")
    os.write(mapped[1], b"!")
    assert status_of(pid) == 0
    for descriptor in (*ready, *mapped):
        os.close(descriptor)
