"""Runs the programs that a bundle names as hooks; implements domain.ports.HookRunner.

Few bundles have hooks, so what running them needs is imported when there is one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from domain.container import FirmwareContainer, Status
from domain.errors import HostFault, host_fault
from domain.hooks import Hook

if TYPE_CHECKING:
    import subprocess

# config.md#posix-platform-hooks: these run in the container's namespaces.
_INSIDE = ("createContainer", "startContainer")
_SAID_MAX = 300  # characters of a hook's last words that an error quotes


class LocalHooks:
    """`describe` gives a container's state as JSON; `joiner` is the command that runs a program in
    the namespaces of a process: pid, its start time, kinds with commas, path, arguments follow.
    """

    def __init__(
        self, describe: Callable[[FirmwareContainer, Status], bytes], joiner: Sequence[str]
    ) -> None:
        self._describe = describe
        self._joiner = joiner

    def run(self, kind: str, hook: Hook, container: FirmwareContainer, status: Status) -> None:
        """Run one hook; kill it and all it started in its session when its time is up."""
        import subprocess

        what = f"{kind} hook {hook.path} of container {container.id}"
        command, program = self._command(kind, hook, container)
        # Files, not pipes: nobody has to read, and what a hook leaves running holds up nobody.
        given, said = os.memfd_create("state"), os.memfd_create("output")
        try:
            os.write(given, self._describe(container, status))
            os.lseek(given, 0, os.SEEK_SET)
            process = subprocess.Popen(
                command,
                executable=program,
                env=_environment(hook),
                stdin=given,
                stdout=said,
                stderr=said,
                cwd=container.bundle if os.path.isdir(container.bundle) else "/",
                start_new_session=True,
            )
            code = _wait(process, hook.timeout, what)
            if code != 0:
                how = f"was killed by signal {-code}" if code < 0 else f"exited {code}"
                raise HostFault(f"{what} {how}{_last_words(said)}")
        except OSError as error:
            raise host_fault(
                f"cannot run {what}", error, hint="check the path under hooks in config.json"
            ) from error
        finally:
            os.close(given)
            os.close(said)

    def _command(
        self, kind: str, hook: Hook, container: FirmwareContainer
    ) -> tuple[list[str], str]:
        args = list(hook.args) or [hook.path]
        kinds = ",".join(namespace.kind for namespace in container.linux_config.namespaces)
        if kind not in _INSIDE or not kinds:
            return args, hook.path
        who = (str(container.pid), str(container.start_time), kinds)
        return [*self._joiner, *who, hook.path, *args], self._joiner[0]


def _environment(hook: Hook) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in hook.env)
    return {name: value for name, equals, value in pairs if equals}


def _wait(process: subprocess.Popen[bytes], timeout: int | None, what: str) -> int:
    import subprocess

    try:
        return process.wait(timeout)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise HostFault(
                f"{what} has not ended within {timeout} s", hint="it was killed"
            ) from None
        raise


def _last_words(said: int) -> str:
    text = os.pread(said, 1 << 16, max(0, os.fstat(said).st_size - (1 << 16))).decode(
        errors="replace"
    )
    lines = text.strip().splitlines()
    return f": {lines[-1][-_SAID_MAX:]}" if lines else ""
