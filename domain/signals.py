"""Signals as callers write them, and the signals that ask firmware to stop."""

from __future__ import annotations

from domain.errors import InvalidRequest

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

SIGKILL = 9
# The numbers that POSIX gives to signals; others differ between architectures (signal(7)), and
# importing Python's module for them takes time.
_POSIX = {"HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": SIGKILL, "ALRM": 14, "TERM": 15}
_REAL_TIME = {"RTMIN": 34, "RTMAX": 64}  # the C library keeps 32 and 33 for itself
# Besides TERM and INT those that have no other use than to end a program: QUIT, as web servers want
# it, and RTMIN+3, as systemd wants it. For Docker and containerd do not tell a runtime which signal
# is the image's; they only send it.
_STOPS = frozenset((_POSIX["TERM"], _POSIX["INT"], _POSIX["QUIT"], _REAL_TIME["RTMIN"] + 3))
_FAILURES = ("SIGILL", "SIGBUS", "SIGFPE", "SIGSEGV")
_IMAGE_STOP_SIGNAL = "org.opencontainers.image.stopSignal"
_LAST = 64  # Linux's SIGRTMAX


def read_signal(text: str) -> int:
    """Return the number of a signal written as `TERM`, `SIGTERM`, `term`, `RTMIN+3` or `15`.

    Raises InvalidRequest.
    """
    short = len(text) <= 3  # the text comes from images, and int() refuses thousands of digits
    if short and text.isascii() and text.isdigit() and 0 < int(text) <= _LAST:
        return int(text)
    name = text.upper().removeprefix("SIG")
    if name in _POSIX:
        return _POSIX[name]
    if number := _real_time(name):
        return number
    import signal

    try:
        return int(signal.Signals[f"SIG{name}"])
    except KeyError:
        raise InvalidRequest(
            f"unknown signal {text!r}", hint="give a name such as TERM or a number from 1 to 64"
        ) from None


def _real_time(name: str) -> int:
    """Return the number of a name such as RTMIN+3 or RTMAX-1; 0 if it is none."""
    sign = name[5:6]
    base, digits = _REAL_TIME.get(name[:5], 0), name[6:]
    if not base or sign not in ("+", "-") or not (digits.isascii() and digits.isdigit()):
        return 0
    number = base + int(f"{sign}{digits}") if len(digits) <= 2 else 0
    return number if _REAL_TIME["RTMIN"] <= number <= _REAL_TIME["RTMAX"] else 0


def is_fatal(number: int) -> bool:
    """Return whether the signal ends a supervisor at once: KILL, or one of a failed instruction."""
    if number == SIGKILL:
        return True
    import signal  # knows their numbers, which depend on the architecture

    return any(number == signal.Signals[name] for name in _FAILURES)


def stop_signals(annotations: Mapping[str, str]) -> frozenset[int]:
    """Return TERM, INT, QUIT, RTMIN+3, and the stop signal that an annotation names."""
    own = annotations.get(_IMAGE_STOP_SIGNAL, "")
    try:
        return _STOPS | {read_signal(own)} if own else _STOPS
    except InvalidRequest:
        return _STOPS  # an engine may have written it, and then the user cannot mend it
