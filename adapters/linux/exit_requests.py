"""The exit codes with which a process means to end: the kernel passes only eight bits of them on.

A filter of the process's system calls holds it until it is answered. Source: seccomp_unotify(2).
"""

from __future__ import annotations

import fcntl
import os
import struct

_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # ioctl(2)
_NOTICE = struct.Struct("=QII iIQ 6Q")  # struct seccomp_notif; its last six are the arguments
_ANSWER = struct.Struct("=QqiI")  # struct seccomp_notif_resp
_CONTINUE = 1


class ExitRequests:
    """`descriptor` is that of seccomp.deny_and_ask_to_exit, readable when the process asks."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def answer(self) -> int | None:
        """Let the process that asks exit; return its whole exit code, None if it is gone."""
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(self.descriptor, _RECEIVE, notice)
            number, *_, code = _NOTICE.unpack(notice)[:7]
            fcntl.ioctl(self.descriptor, _SEND, _ANSWER.pack(number, 0, 0, _CONTINUE))
        except OSError:
            return None
        return int(code) & 0xFFFFFFFF

    def close(self) -> None:
        """Close the descriptor. Repeatable."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1
