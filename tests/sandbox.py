"""Lets a test do in a child process what must not happen in pytest's own: chroot, mounts, ..."""

from __future__ import annotations

import ctypes
import os
import pickle
import traceback

_CLONE_NEWUSER, _CLONE_NEWNS = 0x10000000, 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000


def in_child(function):
    """Run `function` in a forked child and return what it returns; its failure fails the test."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            try:
                answer = (True, function())
            except BaseException:
                answer = (False, traceback.format_exc())
            with open(writer, "wb") as pipe:
                pickle.dump(answer, pipe)
        finally:
            os._exit(0)
    os.close(writer)
    try:
        with open(reader, "rb") as pipe:
            data = pipe.read()
    finally:
        os.waitpid(pid, 0)
    assert data, "the child died without an answer"
    fine, answer = pickle.loads(data)
    assert fine, answer
    return answer


def _call(name, *args):
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _become_root_inside():
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        return
    _call("unshare", _CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def chroot(path):
    """Make `path` this process' root directory (in a user namespace if it is not root)."""
    _become_root_inside()
    os.chroot(path)
    os.chdir("/")


def private_mounts():
    """Let only this process see what it mounts from now on; it goes when the process ends."""
    _become_root_inside()
    _call("unshare", _CLONE_NEWNS)
    _call("mount", b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)


def small_tmpfs(path, size):
    """Mount a tmpfs that only this process sees; it goes when the process ends."""
    private_mounts()
    mount(b"none", path, "tmpfs", f"size={size}")


def mount(source, target, kind, data):
    """Mount a file system, in the mount namespace that `private_mounts` has made."""
    names = (os.fsencode(target), kind.encode())
    _call("mount", source, *names, ctypes.c_ulong(0), os.fsencode(data) or None)
