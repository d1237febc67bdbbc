"""Runs one QEMU process, from its start to the last byte of its output."""

from __future__ import annotations

import os
import select
import time
from _socket import AF_UNIX, SOCK_STREAM, socketpair
from errno import EIO
from typing import Any

from adapters.sim.exit_reason import error_message, from_qmp_event, from_wait_status
from adapters.sim.qemu_args import Descriptors, command_line
from adapters.sim.qmp import Qmp
from adapters.sim.spawn import spawn_bound
from adapters.sim.spec import CORES, ProcessorSpec
from adapters.sim.uart import UartConsole, read_available
from domain.errors import HostFault, host_fault
from domain.processor import FirmwareExit

_REPLY_TIMEOUT = 10.0  # seconds for QEMU to answer, on a host that is busy
_KILL = 9


class QemuProcess:
    """A simulated processor with its firmware loaded, and paused until `resume`.

    The thread that creates it owns it: Linux kills QEMU when that thread ends, however it ends.
    `poll` sets `firmware_exit` once the firmware has ended.
    """

    def __init__(self, spec: ProcessorSpec, firmware: int) -> None:
        """Spawn QEMU with the ELF file in the descriptor. Raises HostFault."""
        self.name = spec.name
        self._crash_code = CORES[spec.core].crash_code
        self.firmware_exit: FirmwareExit | None = None
        self._qmp = Qmp()
        self._errors = ""
        self._unresponsive = False
        self._pid = self._pidfd = -1
        self._watched: list[int] = []
        self._monitor, monitor = _pair()
        ours, serial = _pair() if spec.console == "uart" else (-1, -1)
        self.console = UartConsole(ours)
        self._stderr, stderr = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._dump = os.memfd_create("memory")
        self._poll = select.poll()
        inherited = [fd for fd in (firmware, self._dump, monitor, serial) if fd >= 0]
        try:
            argv = command_line(spec, Descriptors(firmware, monitor, serial))
            self._spawn(argv, inherited, stderr)
        except BaseException:
            self.close()
            raise
        finally:
            for fd in (monitor, stderr, serial):
                if fd >= 0:
                    os.close(fd)
        self._negotiate()

    def _spawn(self, argv: list[str], inherited: list[int], stderr: int) -> None:
        try:
            self._pid = spawn_bound(argv, inherited, stderr)
            self._pidfd = os.pidfd_open(self._pid)
        except OSError as error:
            raise host_fault(f"cannot start QEMU for {self.name}", error) from error
        self._watched = [self._monitor, self._pidfd]
        if self.console.fd >= 0:
            self._watched.append(self.console.fd)
        for fd in self._watched:
            self._poll.register(fd, select.POLLIN)

    def _negotiate(self) -> None:
        if self._execute("qmp_capabilities") is not None:
            return
        problem = error_message(self._errors) if self._pid < 0 else "it does not answer"
        self.close()
        raise HostFault(
            f"QEMU cannot simulate {self.name}: {problem or 'it ended at once'}",
            errno=EIO,
            hint="check `machine` and `options` in the board file",
        )

    @property
    def pid(self) -> int:
        """The pid of QEMU; -1 after its end."""
        return self._pid

    def watch(self) -> tuple[int, ...]:
        """Return the descriptors that become readable when there is something to `poll`."""
        return tuple(self._watched)

    def resume(self) -> bool:
        """Let the processor run; the firmware may have ended by then. False on failure."""
        return self._execute("cont") is not None or self.firmware_exit is not None

    def pause(self) -> bool:
        """Pause the processor; no effect after the firmware has ended. False on failure."""
        return self._execute("stop") is not None or self.firmware_exit is not None

    def read_memory(self, address: int, size: int) -> bytes | None:
        """Read memory at an address of the processor; None where there is no memory to read.

        QEMU saves the bytes to an anonymous file of this process. (`memsave` takes a virtual
        address: on an Armv8-M with TrustZone, a physical address would read as zeros.)
        """
        reply = self._execute(
            "memsave", val=address, size=size, filename=f"/proc/self/fd/{self._dump}"
        )
        if reply is None or "error" in reply:
            return None
        return os.pread(self._dump, size, 0)

    def poll(self, milliseconds: int = 0) -> None:
        """Handle all that QEMU has sent; if there is nothing, wait so long for something."""
        if self._pid < 0:
            return
        died = False
        for fd, _ in self._poll.poll(milliseconds):
            if fd == self._pidfd:
                died = True
            elif (self._receive() if fd == self._monitor else self.console.receive()) == b"":
                self._poll.unregister(fd)
                self._watched.remove(fd)
        if died:
            self._reap()

    def close(self) -> None:
        """End QEMU, if it has not ended, and keep its output for `console.read`. Repeatable."""
        if self._pid > 0:
            self.firmware_exit = self.firmware_exit or FirmwareExit(False, 0, "stopped on request")
            os.kill(self._pid, _KILL)  # QEMU is not reaped yet, so the pid is still its own
            self._reap()
        for fd in (self._monitor, self._stderr, self._dump):
            if fd >= 0:
                os.close(fd)
        self._monitor = self._stderr = self._dump = -1
        self.console.close()

    def _execute(self, command: str, **arguments: object) -> dict[str, Any] | None:
        """Send a QMP command; return the reply, None if QEMU has ended or does not answer in time.

        A QEMU that did not answer once gets no further commands.
        """
        if self._pid < 0 or self._unresponsive:
            return None
        number, message = self._qmp.request(command, **arguments)
        try:
            os.write(self._monitor, message)
        except OSError:
            pass  # QEMU is ending: its pidfd becomes readable
        deadline = time.monotonic() + _REPLY_TIMEOUT
        while number not in self._qmp.replies and self._pid > 0:
            left = deadline - time.monotonic()
            if left <= 0:
                self._unresponsive = True
                return None
            self.poll(int(left * 1000) + 1)
        return self._qmp.replies.pop(number, None)

    def _receive(self) -> bytes | None:
        """Receive QMP messages; None if there are none now, b"" at the end."""
        data = read_available(self._monitor)
        try:
            events = self._qmp.feed(data or b"")
        except ValueError:
            self.firmware_exit = self.firmware_exit or FirmwareExit(
                True, None, "the simulator (QEMU) sent bytes that are not QMP"
            )
            return b""
        for name, about in events:
            self.firmware_exit = self.firmware_exit or from_qmp_event(name, about)
        return data

    def _reap(self) -> None:
        """Reap QEMU, which has ended or was killed, and find out how the firmware ended."""
        _, status = os.waitpid(self._pid, 0)
        self._pid = -1
        self._watched.clear()
        if self._pidfd >= 0:
            os.close(self._pidfd)
        while self._receive():
            pass
        self._errors = (read_available(self._stderr) or b"").decode(errors="replace")
        self.firmware_exit = self.firmware_exit or from_wait_status(
            status, self._errors, self._crash_code
        )
        self.console.close()


def _pair() -> tuple[int, int]:
    ours, childs = socketpair(AF_UNIX, SOCK_STREAM)
    ours.setblocking(False)
    return ours.detach(), childs.detach()
