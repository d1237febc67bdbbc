"""The signals that a supervisor handles, as bytes of a pipe that it can poll."""

from __future__ import annotations

import os

from adapters.linux.light_signal import signal

_IGNORED = frozenset((signal.SIGCHLD, signal.SIGPIPE, signal.SIGWINCH, signal.SIGCONT))
_UNCATCHABLE = frozenset((signal.SIGKILL, signal.SIGSTOP))
# The kernel sends these when an instruction fails. After a handler the instruction would run
# again, without end: so these must kill the supervisor, and the next command gives the processor
# back.
_FATAL = frozenset((signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL))


def open_signal_pipe() -> int:
    """Return a descriptor from which each signal that arrives can be read as one byte."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in signal.valid_signals() - _IGNORED - _UNCATCHABLE - _FATAL:
        signal.signal(number, lambda *_: None)
    for number in _FATAL:
        signal.signal(number, signal.SIG_DFL)  # a caller may have left them ignored
    return reader
