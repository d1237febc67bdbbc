"""Lets a test do in a child process what must not happen in pytest's own: chroot, seccomp, ..."""

from __future__ import annotations

import ctypes
import os
import pickle
import struct
import traceback

_CLONE_NEWUSER, _CLONE_NEWNS = 0x10000000, 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_SYS_OPENAT2 = 437


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


def small_tmpfs(path, size):
    """Mount a tmpfs that only this process sees; it goes when the process ends."""
    _become_root_inside()
    _call("unshare", _CLONE_NEWNS)
    _call("mount", b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)
    _call("mount", b"none", os.fsencode(path), b"tmpfs", ctypes.c_ulong(0), f"size={size}".encode())


def deny_openat2(errno):
    """Have the kernel answer every openat2 of this process with `errno`, as engines' filters do."""
    program = b"".join(
        struct.pack("<HBBI", *step)
        for step in (
            (0x20, 0, 0, 0),  # load the system call's number
            (0x15, 0, 1, _SYS_OPENAT2),  # another one: skip the next step
            (0x06, 0, 0, 0x00050000 | errno),  # SECCOMP_RET_ERRNO
            (0x06, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
        )
    )
    steps = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count, padded, and a pointer.
    filter_ = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
    _call("prctl", _PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    _call(
        "prctl",
        _PR_SET_SECCOMP,
        ctypes.c_ulong(_SECCOMP_MODE_FILTER),
        filter_,
        *[ctypes.c_ulong(0)] * 2,
    )
