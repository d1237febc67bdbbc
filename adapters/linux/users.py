"""The user on whose behalf this process runs."""

from __future__ import annotations

import os

from adapters.linux.files import read_all


def user_names() -> list[str]:
    """Return the name, if there is one, and the id of this process's user.

    In a user namespace, as rootless engines make one, it is the user outside (user_namespaces(7)).
    """
    user = outside_user()
    import pwd

    try:
        return [pwd.getpwuid(user).pw_name, str(user)]
    except KeyError:
        return [str(user)]


def outside_user() -> int:
    """Return the id of this process's user outside of its user namespace."""
    user = os.geteuid()
    try:
        lines = read_all("/proc/self/uid_map").decode().splitlines()
    except OSError:
        return user
    for line in lines:
        inside, outside, count = map(int, line.split())
        if inside <= user < inside + count:
            return outside + user - inside
    return user
