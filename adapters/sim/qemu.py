"""Runs one QEMU process, from its start to the last byte of its output."""

from __future__ import annotations

import os
import select
import time
from _socket import AF_UNIX, SOCK_STREAM, socketpair
from collections.abc import Callable, Mapping
from errno import EIO
from typing import TYPE_CHECKING, Any

from adapters.linux.exit_requests import ExitRequests
from adapters.sim.confinement import Confinement, shown_files
from adapters.sim.exit_reason import error_message, from_qmp_event, from_wait_status
from adapters.sim.file_removal import FileRemoval
from adapters.sim.generic_machine import environment, open_link
from adapters.sim.qemu_args import LOGGED, Descriptors, command_line
from adapters.sim.qemu_errors import QemuErrors
from adapters.sim.qemu_users import QemuUser, QemuUsers
from adapters.sim.qmp import Qmp
from adapters.sim.spawn import end_aborted, spawn_confined
from adapters.sim.spec import CORES, ProcessorSpec
from adapters.sim.uart import UartConsole, read_available
from domain.errors import HostFault, host_fault, reason
from domain.processor import FirmwareExit

if TYPE_CHECKING:
    from adapters.sim.rpmsg.link import RpmsgLink

_REPLY_TIMEOUT = 10.0  # seconds for QEMU to answer, on a host that is busy
_KILL = 9


class QemuProcess:
    """A simulated processor with its firmware loaded, and paused until `resume`.

    The thread that creates it owns it: Linux kills QEMU when that thread ends, however it ends.
    `poll` sets `firmware_exit` once the firmware has ended.
    """

    def __init__(self, spec: ProcessorSpec, firmware: int, users: QemuUsers) -> None:
        """Spawn QEMU with the ELF file in the descriptor, as one of the users. Raises HostFault."""
        self.name = spec.name
        self._crash_code = CORES[spec.core].crash_code
        self.firmware_exit: FirmwareExit | None = None
        self._qmp = Qmp()
        self._unresponsive = self._killed = self._quiet = False
        self._pid = self._pidfd = -1
        self._exits = ExitRequests(-1)
        self._exit_code: int | None = None
        self.unconfined: list[str] = []
        self._watched: list[int] = []
        self._monitor, monitor = _pair()
        ours, serial = _pair() if spec.console != "none" else (-1, -1)
        self.console = UartConsole(ours)
        reader, stderr = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._errors = QemuErrors(reader)
        self._dump = os.memfd_create("memory")
        self._poll = select.poll()
        self._user: QemuUser | None = None
        self.rpmsg: RpmsgLink | None = None
        inherited = [fd for fd in (firmware, self._dump, monitor, serial) if fd >= 0]
        try:
            self.rpmsg = open_link(spec, firmware)
            inherited += self.rpmsg.inherited if self.rpmsg else ()
            argv = command_line(spec, Descriptors(firmware, monitor, serial))
            self._user = users.take()
            confinement = self._confinement(argv[0], spec)
            variables = environment(spec, self.rpmsg)
            self._spawn(argv, inherited, stderr, confinement, variables)
        except BaseException:
            self.close()
            raise
        finally:
            for fd in (monitor, stderr, serial):
                if fd >= 0:
                    os.close(fd)
        self._negotiate()
        if self.rpmsg:
            self.rpmsg.begin()

    def _confinement(self, program: str, spec: ProcessorSpec) -> Confinement:
        program = os.path.realpath(program)
        memory = sum(region.size for region in spec.memory)
        named = (*spec.options, *environment(spec).values())
        return Confinement(program, shown_files(program, named), memory, self.user)

    def _spawn(
        self,
        argv: list[str],
        inherited: list[int],
        stderr: int,
        confinement: Confinement,
        variables: Mapping[str, str],
    ) -> None:
        try:
            self._pid, self.unconfined, exits = spawn_confined(
                argv, inherited, stderr, confinement, variables
            )
            self._exits = ExitRequests(exits)
            self._pidfd = os.pidfd_open(self._pid)
        except OSError as error:
            raise host_fault(f"cannot start QEMU for {self.name}", error) from error
        rings = self.rpmsg.fd if self.rpmsg else -1
        others = (self.console.fd, self._exits.descriptor, rings)
        self._watched = [self._monitor, self._pidfd, self._errors.fd]
        self._watched += [fd for fd in others if fd >= 0]
        for fd in self._watched:
            self._poll.register(fd, select.POLLIN)

    def _negotiate(self) -> None:
        """Wait until QEMU has loaded the firmware, and then leave it no file to see."""
        removal = FileRemoval()
        try:
            self._attempt(removal.prepare, self._pid)
            if self._execute("qmp_capabilities") is not None:
                # Accesses to nothing. A QEMU before 10 logs them anyway, and refuses this word.
                self.monitor(f"log {LOGGED},invalid_mem")
                if self._pid > 0:
                    self._attempt(removal.perform)
                self._errors.begin()
                return
        finally:
            removal.close()
        problem, hint = f"it does not answer within {_REPLY_TIMEOUT:.0f} s", "try again"
        if self._pid < 0:
            said = error_message(self._errors.text)
            problem = said or ("it was killed" if self._killed else "it ended at once")
            if said or not self._killed:
                hint = "check `machine` and `options` in the board file"
        self.close()
        raise HostFault(f"QEMU cannot simulate {self.name}: {problem}", errno=EIO, hint=hint)

    def _attempt(self, remove: Callable[..., None], *arguments: object) -> None:
        try:
            remove(*arguments)
        except OSError as error:
            self.unconfined.append(f"cannot empty its root directory: {reason(error)}")

    @property
    def pid(self) -> int:
        """The pid of QEMU; -1 after its end."""
        return self._pid

    @property
    def user(self) -> int | None:
        """The user id of QEMU, None for this process's."""
        return self._user.number if self._user else None

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
        self._handle_news(milliseconds)
        if self._errors.flooded and not self._quiet:
            self._quiet = True
            self.monitor("log none")

    def remarks(self) -> list[str]:
        """Return what QEMU has told of the firmware's mistakes since the last call."""
        found = self._errors.take_remarks(self.monitor)
        if self.rpmsg:
            found += self.rpmsg.take_remarks()
        return found

    def monitor(self, command: str) -> str:
        """Return the answer to a command of QEMU's monitor for people; empty on failure."""
        reply = self._execute("human-monitor-command", **{"command-line": command})
        return str((reply or {}).get("return", ""))

    def _handle_news(self, milliseconds: int) -> None:
        if self._pid < 0:
            return
        died = False
        for fd, _ in self._poll.poll(milliseconds):
            if fd == self._pidfd:
                died = True
            elif fd == self._exits.descriptor:
                self._let_exit()
            elif self._receive_from(fd) == b"":
                self._poll.unregister(fd)
                self._watched.remove(fd)
        if self._errors.fatal:
            end_aborted(self._pid, self._pidfd)
        if died or self._errors.fatal:
            self._reap()

    def _receive_from(self, fd: int) -> bytes | None:
        if fd == self._errors.fd:
            return self._errors.receive()
        if self.rpmsg and fd == self.rpmsg.fd:
            return self.rpmsg.receive()
        return self._receive() if fd == self._monitor else self.console.receive()

    def close(self) -> None:
        """End QEMU, if it has not ended, and keep its output for `console.read`. Repeatable."""
        if self._pid > 0:
            self.firmware_exit = self.firmware_exit or FirmwareExit(False, 0, "stopped on request")
            os.kill(self._pid, _KILL)  # QEMU is not reaped yet, so the pid is still its own
            self._reap()
        for fd in (self._monitor, self._errors.fd, self._dump):
            if fd >= 0:
                os.close(fd)
        self._monitor = self._errors.fd = self._dump = -1
        if self._user:
            self._user.release()
        if self.rpmsg:
            self.rpmsg.close()
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
            self._handle_news(int(left * 1000) + 1)
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

    def _let_exit(self) -> None:
        code = self._exits.answer()
        if code is None:  # QEMU is gone, and its pidfd readable
            self._poll.unregister(self._exits.descriptor)
            self._watched.remove(self._exits.descriptor)
        else:
            self._exit_code = code

    def _reap(self) -> None:
        """Reap QEMU, which has ended or was killed, and find out how the firmware ended."""
        _, status = os.waitpid(self._pid, 0)
        self._pid = -1
        self._killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == _KILL
        self._watched.clear()
        self._exits.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
        while self._receive():
            pass
        while self._errors.receive() or (self.rpmsg and self.rpmsg.receive()):
            pass
        self.firmware_exit = self.firmware_exit or from_wait_status(
            status, self._errors.text, self._crash_code, self._exit_code
        )
        self.console.close()


def _pair() -> tuple[int, int]:
    ours, childs = socketpair(AF_UNIX, SOCK_STREAM)
    ours.setblocking(False)
    return ours.detach(), childs.detach()
