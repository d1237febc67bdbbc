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
_STOPS = frozenset((_POSIX["TERM"], _POSIX["INT"]))
_IMAGE_STOP_SIGNAL = "org.opencontainers.image.stopSignal"
_LAST = 64  # Linux's SIGRTMAX


def read_signal(text: str) -> int:
    """Return the number of a signal written as `TERM`, `SIGTERM`, `term` or `15`.

    Raises InvalidRequest.
    """
    short = len(text) <= 3  # the text comes from images, and int() refuses thousands of digits
    if short and text.isascii() and text.isdigit() and 0 < int(text) <= _LAST:
        return int(text)
    name = text.upper().removeprefix("SIG")
    if name in _POSIX:
        return _POSIX[name]
    import signal

    try:
        return int(signal.Signals[f"SIG{name}"])
    except KeyError:
        raise InvalidRequest(
            f"unknown signal {text!r}", hint="give a name such as TERM or a number from 1 to 64"
        ) from None


def signal_name(number: int) -> str:
    """Return `TERM` for 15; the number as text where the signal has no name."""
    import signal

    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)


def stop_signals(annotations: Mapping[str, str]) -> frozenset[int]:
    """Return TERM, INT and the image's stop signal, if the engine put that into an annotation."""
    own = annotations.get(_IMAGE_STOP_SIGNAL, "")
    try:
        return _STOPS | {read_signal(own)} if own else _STOPS
    except InvalidRequest:
        return _STOPS  # the engine wrote this annotation, so the user cannot mend it
