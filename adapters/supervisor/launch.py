"""Starts a supervisor's process, and prepares it until it is ready."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adapters.linux import process
from adapters.linux.channel import Channel
from adapters.supervisor import control_protocol
from adapters.supervisor.order import CREATOR, SupervisorOrder
from domain.container import FirmwareContainer
from domain.errors import HostFault, host_fault

if TYPE_CHECKING:
    from adapters.isolation.cgroups import Group
    from domain.linux_config import LinuxConfig
    from domain.stdio import Stdio

_READY_WITHIN = 20.0  # seconds


class Launch:
    """A supervisor's process from its spawn until it is ready.

    `container` has the pid of that process, `channel` leads to it.
    """

    def __init__(self, command: Sequence[str], container: FirmwareContainer, stdio: Stdio) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            pid = _exec([*command, container.id], theirs, stdio)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.channel = Channel(ours)
        self.container = container._replace(pid=pid, start_time=process.start_time(pid))

    def instruct(self, order: SupervisorOrder, group: Group | None) -> None:
        """Put the process into its control group and limits, send the order, wait until ready.

        Raises the error that the supervisor met.
        """
        pid, linux_config = self.container.pid, self.container.linux_config
        warnings = list(group.warnings) if group else []
        if group is not None:
            group.enter(pid)
        warnings += _restrain(pid, linux_config)
        order = order._replace(warnings=tuple(warnings))
        self.channel.settimeout(_READY_WITHIN)
        try:
            self.channel.send(json.dumps(order.to_json()).encode())
            while not self._answer(json.loads(self.channel.receive() or b"null")):
                pass
        except ConnectionError:
            raise self._ended() from None
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
            _map_users(self.container.pid, self.container.linux_config)
            self.channel.send(b"mapped")
        elif "pid" in message:  # the supervisor continues as its child, in a new pid namespace
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.container.pid, 0)
            self.container = self.container._replace(
                pid=message["pid"], start_time=process.start_time(message["pid"])
            )
        elif refusal := control_protocol.from_json(message):
            raise refusal
        else:
            return True
        return False

    def _ended(self) -> HostFault:
        return HostFault(
            f"the supervisor of container {self.container.id} ended before it was ready",
            hint="its words are on standard error",
        )


def make_group(linux_config: LinuxConfig, path: str) -> Group | None:
    """Make the control group that a bundle asks for, on record in the container's directory."""
    if not linux_config.cgroup:
        return None
    from adapters.isolation.cgroups import Group

    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        group = Group(linux_config, directory)
        group.make()
    finally:
        os.close(directory)
    return group


def _exec(command: list[str], creator: socket.socket, stdio: Stdio) -> int:
    try:
        return os.posix_spawn(
            command[0],
            command,
            {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, given, wanted)
                for given, wanted in _places(stdio, creator.fileno())
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD],
        )
    except OSError as error:
        raise host_fault(f"cannot run {command[0]}", error) from error


def _restrain(pid: int, linux_config: LinuxConfig) -> list[str]:
    if not linux_config.rlimits and linux_config.oom_score_adj is None:
        return []
    from adapters.isolation.limits import restrain

    return restrain(pid, linux_config)


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


def _places(stdio: Stdio, creator: int) -> list[tuple[int, int]]:
    """Return which descriptor becomes which, such that none is overwritten before its use."""
    aside = max(stdio.stdin, stdio.stdout, stdio.stderr, creator, CREATOR) + 1
    given = (stdio.stdin, stdio.stdout, stdio.stderr, creator)
    return [
        *((descriptor, aside + place) for place, descriptor in enumerate(given)),
        *((aside + place, place) for place in range(len(given))),
    ]
