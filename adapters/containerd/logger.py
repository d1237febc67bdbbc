"""A logger program that reads a container's output: the kind `binary` of containerd's URIs.

The program reads the container's stdout and stderr from its descriptors 3 and 4, and closes its
descriptor 5 when it is ready; its arguments are the URI's query. Source: containerd
core/runtime/v2/logging and cmd/containerd-shim-runc-v2/process/io.go.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Mapping

from adapters.linux.spawn import environment_of, spawn
from domain.errors import HostFault, InvalidRequest, host_fault

_READY_WITHIN = 10.0  # seconds
_ENDS_WITHIN = 3.0  # seconds after its last input


class Logger:
    """The running program. `stdout` and `stderr` are for the supervisor; the caller closes both."""

    def __init__(self, uri: str, container: str, namespace: str) -> None:
        command = _command(uri)
        ends: list[tuple[int, int]] = []
        try:
            ends += (os.pipe2(os.O_CLOEXEC) for _ in range(3))
            (out, self.stdout), (err, self.stderr), (ready, theirs) = ends
            kept = environment_of("PATH", "LANG")
            environment = {**kept, "CONTAINER_ID": container, "CONTAINER_NAMESPACE": namespace}
            self._pid = _spawn(command, environment, {3: out, 4: err, 5: theirs})
            self._pidfd = os.pidfd_open(self._pid)
        except BaseException:
            for end in ends:
                os.close(end[0])
                os.close(end[1])
            raise
        for descriptor in (out, err, theirs):
            os.close(descriptor)
        try:
            _await_ready(ready, command[0])
        except BaseException:
            os.close(self.stdout)
            os.close(self.stderr)
            self.close()
            raise
        finally:
            os.close(ready)

    def close(self) -> None:
        """Wait until the program has read to the end, and end it; its inputs must be closed."""
        for number in (0, signal.SIGTERM, signal.SIGKILL):
            try:
                signal.pidfd_send_signal(self._pidfd, number)
            except ProcessLookupError:
                break
            if select.select([self._pidfd], [], [], _ENDS_WITHIN)[0]:
                break
        os.close(self._pidfd)
        try:
            os.waitpid(self._pid, 0)
        except ChildProcessError:
            pass


def _command(uri: str) -> list[str]:
    from urllib.parse import parse_qsl, unquote, urlsplit

    parts = urlsplit(uri)
    path = unquote(parts.path)
    if not os.path.isabs(path):
        raise InvalidRequest(f"logger {uri!r} has no absolute path")
    arguments = [path]
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        arguments += [key, value] if value else [key]
    return arguments


def _spawn(
    command: list[str], environment: Mapping[str, str], descriptors: Mapping[int, int]
) -> int:
    try:
        return spawn(command, environment, descriptors)
    except OSError as error:
        raise host_fault(f"cannot run logger {command[0]}", error) from error


def _await_ready(ready: int, program: str) -> None:
    if not select.select([ready], [], [], _READY_WITHIN)[0]:
        raise HostFault(
            f"logger {program} was not ready within {_READY_WITHIN:.0f} s",
            hint="it has to close its descriptor 5",
        )
    os.read(ready, 1)
