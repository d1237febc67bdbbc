"""The supervisors of this host's containers; implements domain.ports.Supervisors.

Most commands only look whether a supervisor runs. What the other methods need, these import.
"""

from __future__ import annotations

import os
import time

from adapters.linux import process
from adapters.state.exit_record import is_supervised
from domain.container import FirmwareContainer, Operation
from domain.errors import Busy, HostFault, SupervisorGone, host_fault
from domain.signals import SIGKILL

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.linux.channel import Channel
    from adapters.state.leases import FileLeases
    from adapters.supervisor.order import SupervisorOrder
    from adapters.supervisor.start_supervisor import StartSupervisor
    from domain.annotations import ProcessorOptions
    from domain.ports import Board, Draft
    from domain.stdio import Stdio

_ANSWER_WITHIN = 10.0  # seconds
# Drivers wait for their firmware. KILL kills the supervisor itself after this long.
_LONGER_OR_SHORTER = {Operation.START: 60.0, Operation.KILL: 2.0}
_GONE_WITHIN = 5.0
_PAUSE = 0.02


class ProcessSupervisors:
    """Supervisors as processes that `start` makes, for the containers of the state root `root`.

    A supervisor opens its processor on the board of kind `backend`, and holds its lease in
    `leases`.
    """

    def __init__(
        self,
        root: str,
        start: StartSupervisor,
        backend: str,
        leases: FileLeases,
        board: Callable[[], Board],
    ) -> None:
        self._root = root
        self._start = start
        self._backend = backend
        self._leases = leases
        self._board = board
        self._creating: dict[str, Channel] = {}

    def spawn(
        self, draft: Draft, container: FirmwareContainer, options: ProcessorOptions, stdio: Stdio
    ) -> FirmwareContainer:
        from adapters.supervisor.launch import Launch, make_group

        group = make_group(container.linux_config, draft.path)
        order = self._order(draft, container, options, stdio)
        launch = Launch(self._start, container, stdio)
        self._creating[container.id] = launch.channel
        try:
            launch.instruct(order, group)
        except BaseException:
            self.abandon(launch.container)
            raise
        return launch.container

    def _order(
        self, draft: Draft, container: FirmwareContainer, options: ProcessorOptions, stdio: Stdio
    ) -> SupervisorOrder:
        from adapters.supervisor.order import SupervisorOrder
        from domain.annotations import known_as, misspelt

        device = container.device  # "" for a pod's sandbox
        return SupervisorOrder(
            id=container.id,
            root=self._root,
            directory=draft.path,
            firmware=container.firmware,
            stop_signals=container.stop_signals,
            backend=self._backend if device else "none",
            open_args=self._board().open_args(device, options) if device else {},
            rootfs=container.rootfs,
            proc=container.linux_config.proc,
            leases_directory=self._leases.directory,
            board=self._leases.board,
            interactive=stdio.interactive,
            terminal=stdio.terminal,
            namespaces=container.linux_config.namespaces,
            hostname=container.linux_config.hostname,
            name=known_as(container.annotations),
            termination_log=container.termination_log,
            cgroup=container.linux_config.cgroup,
            warnings=misspelt(container.annotations),
        )

    def adopt(self, container: FirmwareContainer) -> None:
        creator = self._creating.pop(container.id)
        try:
            creator.send(b"adopt")
        except OSError as error:
            raise host_fault(f"the supervisor of {container.id} has gone", error) from error
        finally:
            creator.close()

    def abandon(self, container: FirmwareContainer) -> None:
        """Close the channel, after which the supervisor ends by itself; else kill it."""
        if creator := self._creating.pop(container.id, None):
            creator.close()
        ended = process.wait(container.pid, container.start_time, _GONE_WITHIN)
        if not ended:
            try:
                self.signal(container, SIGKILL)
            except SupervisorGone:
                pass  # it has just ended
            ended = process.wait(container.pid, container.start_time, _GONE_WITHIN)
        try:
            os.waitpid(container.pid, 0 if ended else os.WNOHANG)
        except ChildProcessError:
            pass  # it is another process's child

    def alive(self, container: FirmwareContainer) -> bool:
        try:
            return is_supervised(f"{self._root}/{container.id}")
        except OSError as error:
            what = f"cannot tell whether container {container.id} lives"
            raise host_fault(what, error) from error

    def ask(self, container: FirmwareContainer, operation: Operation) -> None:
        from _socket import AF_UNIX, SOCK_STREAM, socket  # the module `socket` is slow to import

        from adapters.linux.channel import Channel
        from adapters.linux.unix_sockets import connect_within
        from adapters.supervisor import control_protocol

        seconds = _LONGER_OR_SHORTER.get(operation, _ANSWER_WITHIN)
        control: Channel | None = None
        answer = b""
        try:
            connection = socket(AF_UNIX, SOCK_STREAM)
            control = Channel(connection)
            path = f"{self._root}/{container.id}/{control_protocol.SOCKET}"
            control.settimeout(connect_within(connection, path, seconds))
            control.send(operation.encode())
            answer = control.receive()
        except TimeoutError:
            raise self._silent(container, seconds) from None
        except (ConnectionError, FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            what = f"cannot speak to the supervisor of container {container.id}"
            raise host_fault(what, error) from error
        finally:
            if control is not None:
                control.close()
        if not answer:
            # It has ended, or ends now; if it lives on, it has given up on this command.
            raise self._gone(container) if self.wait(container, 1.0) else self._silent(container, 1)
        try:
            refusal = control_protocol.decode(answer)
        except ValueError as error:
            raise HostFault(
                f"the supervisor of container {container.id} sent an answer without sense",
                hint="kill the container with KILL",
            ) from error
        if refusal:
            raise refusal

    def _silent(self, container: FirmwareContainer, seconds: float) -> Busy:
        return Busy(
            f"the supervisor of container {container.id} has not answered for {seconds:.0f} s",
            hint="the kernel may be busy with the processor; try again or kill with KILL",
        )

    def _gone(self, container: FirmwareContainer) -> SupervisorGone:
        return SupervisorGone(f"container {container.id} has ended: its supervisor is gone")

    def signal(self, container: FirmwareContainer, number: int) -> None:
        """Send a signal to the very process that was spawned."""
        from adapters.linux.light_signal import signal, signal_name

        descriptor = process.open_process(container.pid, container.start_time)
        if descriptor is None and self.alive(container):
            raise HostFault(
                f"the supervisor of container {container.id} is in another pid or time namespace",
                hint="run this command where the container was created",
            )
        if descriptor is None:
            raise self._gone(container)
        try:
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            raise self._gone(container) from None
        except OSError as error:
            name = signal_name(number)
            raise host_fault(
                f"cannot send signal {name} to container {container.id}", error
            ) from error
        finally:
            os.close(descriptor)

    def wait(self, container: FirmwareContainer, seconds: float | None) -> bool:
        descriptor = process.open_process(container.pid, container.start_time)
        if descriptor is not None:
            return process.wait_opened(descriptor, seconds)
        # One that lives in another pid namespace has no number here that could be waited for.
        deadline = None if seconds is None else time.monotonic() + seconds
        while self.alive(container):
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
        return True
