"""Terminals for containers: a new one, whose master goes to --console-socket, or stdin's."""

from __future__ import annotations

import os

from domain.errors import InvalidRequest, host_fault


class Terminal:
    """A pseudo-terminal; `slave` is what the container reads and writes.

    Both ends are closed at the end of a `with`. (contextlib is slow to import.)
    """

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

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._master)
        os.close(self.slave)


class _NoTerminal:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def _make_raw(descriptor: int) -> list[object]:
    """Make the terminal pass every byte unchanged; return its previous attributes."""
    import termios
    import tty

    before: list[object] = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    return before


def new_terminal(
    wanted: bool, socket: str | None, size: tuple[int, int] = (0, 0), *, raw: bool = True
) -> Terminal | _NoTerminal:
    """Make a terminal if the container wants one; use it in a `with`, which closes it.

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
    return Terminal(size, raw=raw) if wanted else _NoTerminal()


class CurrentTerminal:
    """The terminal on stdin, in raw mode until the end of a `with`.

    Raises InvalidRequest if stdin is none.
    """

    def __enter__(self) -> None:
        if not os.isatty(0):
            raise InvalidRequest(
                "the container wants a terminal, and stdin is none",
                hint="run it from a terminal, or set process.terminal to false",
            )
        self._before = _make_raw(0)

    def __exit__(self, *_: object) -> None:
        import termios

        termios.tcsetattr(0, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]
