"""Terminals for containers: a new one, whose master goes to --console-socket, or stdin's."""

from __future__ import annotations

import contextlib
import os

from domain.errors import InvalidRequest, host_fault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal:
    """A pseudo-terminal; `slave` is what the container reads and writes."""

    def __init__(self, size: tuple[int, int], *, raw: bool) -> None:
        import fcntl
        import struct
        import termios

        try:
            self._master, self.slave = os.openpty()
        except OSError as error:
            raise host_fault("cannot make a terminal", error) from error
        if raw:
            _make_raw(self.slave)
        if any(size):
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", *size, 0, 0))

    def send(self, path: str) -> None:
        """Send the master to the process that listens at `path`, as runc does. Raises HostFault."""
        import socket

        from adapters.linux.unix_sockets import connect

        try:
            with socket.socket(socket.AF_UNIX) as console:
                connect(console, path)
                socket.send_fds(console, [os.ttyname(self.slave).encode()], [self._master])
        except OSError as error:
            raise host_fault(
                f"cannot send the terminal to console socket {path}",
                error,
                hint="the caller must listen there first",
            ) from error

    def close(self) -> None:
        """Close this process's descriptors of both ends."""
        os.close(self._master)
        os.close(self.slave)


def _make_raw(descriptor: int) -> list[object]:
    """Make the terminal pass every byte unchanged; return its previous attributes."""
    import termios
    import tty

    before: list[object] = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    return before


@contextlib.contextmanager
def new_terminal(
    wanted: bool, socket: str | None, size: tuple[int, int] = (0, 0), *, raw: bool = True
) -> Iterator[Terminal | None]:
    """Make a terminal if the container wants one, and close it at the end.

    Raises InvalidRequest if only one of `wanted` and `socket` is given, and HostFault.
    """
    if wanted and socket is None:
        raise InvalidRequest(
            "the container wants a terminal, and there is no --console-socket to send it to",
            hint="set process.terminal to false, or give the socket",
        )
    if socket is not None and not wanted:
        raise InvalidRequest(
            "there is a --console-socket, and the container wants no terminal",
            hint="set process.terminal to true, or leave the socket out",
        )
    if not wanted:
        yield None
        return
    terminal = Terminal(size, raw=raw)
    try:
        yield terminal
    finally:
        terminal.close()


@contextlib.contextmanager
def current_terminal() -> Iterator[None]:
    """Keep the terminal on stdin in raw mode until the end. Raises InvalidRequest without one."""
    if not os.isatty(0):
        raise InvalidRequest(
            "the container wants a terminal, and stdin is none",
            hint="run it from a terminal, or set process.terminal to false",
        )
    import termios

    before = _make_raw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)  # type: ignore[arg-type]
