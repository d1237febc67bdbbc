"""Starts a supervisor's process, and prepares it until it is ready."""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_STREAM, socketpair  # the module `socket` is slow to import

from adapters.encoding.light_json import dumps, loads
from adapters.linux import process
from adapters.linux.channel import Channel
from adapters.linux.files import open_directory
from adapters.supervisor import control_protocol
from adapters.supervisor.order import CREATOR
from domain.errors import RAISE_LIMIT, HostFault, host_fault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Any

    from adapters.isolation.cgroups import Group
    from adapters.supervisor.order import SupervisorOrder
    from adapters.supervisor.start_supervisor import StartSupervisor
    from domain.container import FirmwareContainer
    from domain.linux_config import LinuxConfig
    from domain.stdio import Stdio

_READY_WITHIN = 20.0  # seconds


class StarterGone(Exception):
    """The process that starts supervisors has ended, perhaps after starting one.

    That one ends by itself once its descriptors are closed. The next call does without the process.
    """


class Launch:
    """A supervisor's process from its start until it is ready.

    `container` has the pid of that process, `channel` leads to it.
    """

    def __init__(self, start: StartSupervisor, container: FirmwareContainer, stdio: Stdio) -> None:
        try:
            self.channel, pid = _start(start, container.id, stdio)
        except StarterGone:
            self.channel, pid = _start(start, container.id, stdio)
        self.container = container._replace(pid=pid, start_time=process.start_time(pid))

    def instruct(self, order: SupervisorOrder, group: Group | None) -> None:
        """Set the limits of the process, send the order, wait until ready.

        Raises the error that the supervisor met.
        """
        pid, linux_config = self.container.pid, self.container.linux_config
        warnings = [*order.warnings, *(group.warnings if group else ())]
        if group is not None:
            order = order._replace(hierarchies=group.usable)
        warnings += _apply_limits(pid, linux_config)
        order = order._replace(warnings=tuple(warnings))
        self.channel.settimeout(_READY_WITHIN)
        try:
            self.channel.send(dumps(order.to_json()).encode())
            while not self._answer(loads(self.channel.receive() or b"null")):
                pass
        except ConnectionError:
            raise self._ended() from None
        except HostFault as error:
            if limited := self._limited():
                raise limited from error
            raise
        except TimeoutError:
            raise HostFault(
                f"the supervisor of container {self.container.id} was not ready within "
                f"{_READY_WITHIN:.0f} s",
                hint="the machine may be too busy; try again",
            ) from None
        except OSError as error:
            raise host_fault("cannot speak to the new supervisor", error) from error

    def _answer(self, message: dict[str, Any] | None) -> bool:
        """Do what the supervisor asks for; return whether it is ready."""
        if message is None:
            raise self._ended()
        if "map" in message:
            from adapters.isolation.id_maps import write_id_maps

            write_id_maps(self.container.pid, self.container.linux_config)
            self.channel.send(b"mapped")
        elif "pid" in message:  # the supervisor continues as its child, in a new pid namespace
            before, pid = self.container.pid, message["pid"]
            self.container = self.container._replace(pid=pid, start_time=process.start_time(pid))
            try:
                self.channel.send(b"known")  # first: a process takes a while to end
            finally:
                _reap(before)
        elif refusal := control_protocol.from_json(message):
            raise refusal
        else:
            return True
        return False

    def _limited(self) -> HostFault | None:
        """Return the error of a limit that the supervisor has hit, if it has."""
        from adapters.isolation.limit_hit import LimitHit

        words = LimitHit(self.container.linux_config.cgroup)()
        if not words:
            return None
        return HostFault(
            f"cannot start a supervisor for container {self.container.id}: {words}",
            hint=RAISE_LIMIT,
        )

    def _ended(self) -> HostFault:
        given = self.container.linux_config.rlimits
        limits = ", ".join(f"{each.kind} of {each.soft}" for each in given)
        hint = f"process.rlimits may be too low for it: {limits}" if limits else ""
        return self._limited() or HostFault(
            f"the supervisor of container {self.container.id} ended before it was ready",
            hint=hint or "its words are on standard error",
        )


def _start(start: StartSupervisor, container_id: str, stdio: Stdio) -> tuple[Channel, int]:
    """Start a supervisor; return the channel to it, and its pid."""
    ours, theirs = socketpair(AF_UNIX, SOCK_STREAM)
    descriptors = {0: stdio.stdin, 1: stdio.stdout, 2: stdio.stderr, CREATOR: theirs.fileno()}
    try:
        pid = start(container_id, descriptors)
    except BaseException as error:
        ours.close()
        if isinstance(error, OSError):
            raise host_fault("cannot start a supervisor", error) from error
        raise
    finally:
        theirs.close()
    return Channel(ours), pid


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass  # it is another process's child


def make_group(linux_config: LinuxConfig, path: str) -> Group | None:
    """Make the control group that a bundle asks for, on record in the container's directory."""
    if not linux_config.cgroup:
        return None
    from adapters.isolation.cgroups import Group

    directory = open_directory(path)
    try:
        group = Group(linux_config, directory)
        group.make()
    finally:
        os.close(directory)
    return group


def _apply_limits(pid: int, linux_config: LinuxConfig) -> list[str]:
    if not linux_config.rlimits and linux_config.oom_score_adj is None:
        return []
    from adapters.isolation.limits import apply_limits

    return apply_limits(pid, linux_config)
