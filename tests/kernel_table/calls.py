"""Runs calls and returns answers to compare: the result, or the name of the errno."""

from __future__ import annotations

import errno
import json
import os
import time

NOBODY = 65534


def answer(call):
    """Return the result of a call, or the name of its errno."""
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def in_child(call, user=None, timeout=20.0):
    """Run a call in a child process, as a user; return "blocked" if the child had to be killed."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            os.write(write, json.dumps(answer(call)).encode())
        finally:
            os._exit(0)
    os.close(write)
    deadline = time.monotonic() + timeout
    result = "blocked"
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            result = json.loads(os.read(read, 65536))
            break
        time.sleep(0.01)
    else:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    os.close(read)
    return result
