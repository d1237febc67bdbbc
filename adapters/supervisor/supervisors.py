"""Spawns supervisors and speaks to them; implements domain.ports.Supervisors.

Most commands only look whether one lives, so what speaking needs is imported where it is used.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapters.linux import process
from adapters.state.container_dir import to_json
from adapters.supervisor import control_protocol
from domain.annotations import ProcessorOptions, read_annotations
from domain.container import FirmwareContainer
from domain.errors import Busy, HostFault, WrongState, host_fault
from domain.signals import SIGKILL, signal_name, stop_signals

if TYPE_CHECKING:
    import socket

    from adapters.isolation.cgroups import Group
    from domain.linux_config import LinuxConfig
    from domain.ports import Draft, Stdio

CREATOR = 3  # the descriptor through which creator and supervisor speak
_READY_WITHIN = 20.0  # seconds
_ANSWER_WITHIN = 10.0
_GONE_WITHIN = 5.0


class ProcessSupervisors:
    """Supervisors as processes of `command`; `open_args` tells them how to open a processor."""

    def __init__(
        self,
        root: str,
        command: Sequence[str],
        open_args: Callable[[str, ProcessorOptions], Mapping[str, Any]],
    ) -> None:
        self._root = root
        self._command = command
        self._describe = open_args
        self._creating: dict[str, socket.socket] = {}

    def spawn(self, draft: Draft, container: FirmwareContainer, stdio: Stdio) -> FirmwareContainer:
        """Start a supervisor and wait until it is ready."""
        import json
        import socket

        linux_config = container.linux_config
        group = self._group(linux_config, draft.path) if linux_config.cgroup else None
        fields = to_json(container)
        order = {
            "root": self._root,
            "directory": draft.path,
            "id": container.id,
            "firmware": fields["firmware"],
            "terminal": stdio.terminal,
            "interactive": stdio.interactive,
            "namespaces": linux_config.namespaces,
            "hostname": linux_config.hostname,
            "warnings": group.warnings if group else [],
            "stops": sorted(stop_signals(container.annotations)),
            "processor": self._describe(container.device, read_annotations(container.annotations)),
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = self._exec([*self._command, container.id], theirs, stdio)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._creating[container.id] = ours
        container = container._replace(pid=pid, start_time=process.start_time(pid))
        try:
            if group is not None:
                group.enter(pid)
            order["warnings"] += _restrain(pid, linux_config)
            ours.settimeout(_READY_WITHIN)
            ours.send(json.dumps(order).encode())
            while True:
                answer = json.loads(ours.recv(control_protocol.LIMIT) or "null")
                if answer is None:
                    raise HostFault(
                        f"the supervisor of container {container.id} ended before it was ready",
                        hint="its words are on standard error",
                    )
                if "map" in answer:
                    _map_users(pid, linux_config)
                    ours.send(b"mapped")
                elif "pid" in answer:  # it goes on as another process, in a new pid namespace
                    container = container._replace(
                        pid=answer["pid"], start_time=process.start_time(answer["pid"])
                    )
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, 0)
                else:
                    break
            if refusal := control_protocol.decoded(answer):
                raise refusal
        except BaseException as error:
            self.abandon(container)
            if isinstance(error, OSError):
                raise host_fault("cannot speak to the new supervisor", error) from error
            raise
        return container

    def _group(self, linux_config: LinuxConfig, path: str) -> Group:
        from adapters.isolation.cgroups import Group

        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            group = Group(linux_config, directory)
            group.make()
        finally:
            os.close(directory)
        return group

    def _exec(self, command: list[str], creator: socket.socket, stdio: Stdio) -> int:
        from adapters.linux.spawn import environment_of, spawn

        descriptors = {0: stdio.stdin, 1: stdio.stdout, 2: stdio.stderr, CREATOR: creator.fileno()}
        try:
            return spawn(command, environment_of("PATH", "LANG"), descriptors)
        except OSError as error:
            raise host_fault(f"cannot run {command[0]}", error) from error

    def adopt(self, container: FirmwareContainer) -> None:
        """Tell the supervisor that the container is complete."""
        with self._creating.pop(container.id) as creator:
            try:
                creator.send(b"adopt")
            except OSError as error:
                raise host_fault(f"the supervisor of {container.id} has gone", error) from error

    def abandon(self, container: FirmwareContainer) -> None:
        """Let it end by itself, as it does when its creator dies; kill it if it does not."""
        if creator := self._creating.pop(container.id, None):
            creator.close()
        if not process.wait(container.pid, container.start_time, _GONE_WITHIN):
            with contextlib.suppress(WrongState):
                self.signal(container, SIGKILL)
            process.wait(container.pid, container.start_time, _GONE_WITHIN)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(container.pid, 0)

    def alive(self, container: FirmwareContainer) -> bool:
        """Whether the very process that was spawned still runs."""
        return container.pid > 0 and process.start_time(container.pid) == container.start_time

    def ask(self, container: FirmwareContainer, verb: str) -> None:
        """Send one verb over the control socket and await the outcome."""
        import socket

        from adapters.linux.unix_sockets import connect

        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
            try:
                connect(control, f"{self._root}/{container.id}/control")
                # A start may take the kernel any time; whoever wants out can kill.
                control.settimeout(None if verb == "start" else _ANSWER_WITHIN)
                control.send(verb.encode())
                answer = control.recv(control_protocol.LIMIT)
            except TimeoutError:
                raise Busy(
                    f"the supervisor of container {container.id} has not answered for "
                    f"{_ANSWER_WITHIN:.0f} s",
                    hint="the kernel may be busy with the processor; try again or kill with KILL",
                ) from None
            except OSError as error:
                raise self._gone(container) from error
        if not answer:
            raise self._gone(container)
        if refusal := control_protocol.decode(answer):
            raise refusal

    def _gone(self, container: FirmwareContainer) -> WrongState:
        return WrongState(f"container {container.id} has ended: its supervisor is gone")

    def signal(self, container: FirmwareContainer, number: int) -> None:
        """Send a signal to that very process."""
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
        """Wait for the supervisor's end; False if it lives on."""
        return process.wait(container.pid, container.start_time, seconds)


def _restrain(pid: int, linux_config: LinuxConfig) -> list[str]:
    if not linux_config.rlimits and linux_config.oom_score_adj is None:
        return []
    from adapters.isolation.limits import apply_limits

    return apply_limits(pid, linux_config)


def _map_users(pid: int, linux_config: LinuxConfig) -> None:
    """Write the id maps of a process in a new user namespace (user_namespaces(7))."""
    maps = (("uid_map", linux_config.users), ("gid_map", linux_config.groups))
    try:
        if os.geteuid() != 0:
            with open(f"/proc/{pid}/setgroups", "w", encoding="ascii") as file:
                file.write("deny")
        for name, ranges in maps:
            text = "".join(f"{r.inside} {r.outside} {r.size}\n" for r in ranges)
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write(text)
    except OSError as error:
        raise host_fault(
            "cannot map the users of a new user namespace",
            error,
            hint="check linux.uidMappings and linux.gidMappings",
        ) from error
