"""The supervisors of this host's containers; implements domain.ports.Supervisors.

Most commands only look whether a supervisor runs. What the other methods need, these import.
"""

from __future__ import annotations

import os

from adapters.linux import process
from domain.container import FirmwareContainer, Operation
from domain.errors import Busy, WrongState, host_fault
from domain.signals import SIGKILL, signal_name

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.linux.channel import Channel
    from adapters.state.leases import FileLeases
    from adapters.supervisor.launch import StartSupervisor
    from adapters.supervisor.order import SupervisorOrder
    from domain.annotations import ProcessorOptions
    from domain.ports import Board, Draft
    from domain.stdio import Stdio

_ANSWER_WITHIN = 10.0  # seconds
_GONE_WITHIN = 5.0


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

        device = container.device  # "" for a pod's sandbox
        return SupervisorOrder(
            id=container.id,
            root=self._root,
            directory=draft.path,
            firmware=container.firmware,
            stop_signals=container.stop_signals,
            backend=self._backend if device else "none",
            open_args=self._board().open_args(device, options) if device else {},
            leases_directory=self._leases.directory,
            board=self._leases.board,
            interactive=stdio.interactive,
            terminal=stdio.terminal,
            namespaces=container.linux_config.namespaces,
            hostname=container.linux_config.hostname,
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
        if not process.wait(container.pid, container.start_time, _GONE_WITHIN):
            try:
                self.signal(container, SIGKILL)
            except WrongState:
                pass  # it has just ended
            process.wait(container.pid, container.start_time, _GONE_WITHIN)
        try:
            os.waitpid(container.pid, 0)
        except ChildProcessError:
            pass  # it is another process's child

    def alive(self, container: FirmwareContainer) -> bool:
        return container.pid > 0 and process.start_time(container.pid) == container.start_time

    def ask(self, container: FirmwareContainer, operation: Operation) -> None:
        from _socket import AF_UNIX, SOCK_STREAM, socket  # the module `socket` is slow to import

        from adapters.linux.channel import Channel
        from adapters.linux.unix_sockets import connect
        from adapters.supervisor import control_protocol

        connection = socket(AF_UNIX, SOCK_STREAM)
        control = Channel(connection)
        try:
            connect(connection, f"{self._root}/{container.id}/{control_protocol.SOCKET}")
            # The kernel may take any time to start; the caller can kill the container.
            control.settimeout(None if operation is Operation.START else _ANSWER_WITHIN)
            control.send(operation.encode())
            answer = control.receive()
        except TimeoutError:
            raise Busy(
                f"the supervisor of container {container.id} has not answered for "
                f"{_ANSWER_WITHIN:.0f} s",
                hint="the kernel may be busy with the processor; try again or kill with KILL",
            ) from None
        except OSError as error:
            raise self._gone(container) from error
        finally:
            control.close()
        if not answer:
            raise self._gone(container)
        if refusal := control_protocol.decode(answer):
            raise refusal

    def _gone(self, container: FirmwareContainer) -> WrongState:
        return WrongState(f"container {container.id} has ended: its supervisor is gone")

    def signal(self, container: FirmwareContainer, number: int) -> None:
        """Send a signal to the very process that was spawned."""
        import signal

        descriptor = process.open_process(container.pid, container.start_time)
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
        return process.wait(container.pid, container.start_time, seconds)
