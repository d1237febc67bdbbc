"""Runs the programs that a bundle names as hooks; implements domain.ports.HookRunner.

Few bundles have hooks, so what running them needs is imported when there is one.
"""

from __future__ import annotations

import os

from adapters.linux.files import write_all
from domain.container import FirmwareContainer, Status
from domain.errors import HostFault, host_fault
from domain.hooks import Hook
from domain.signals import SIGKILL

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence

# config.md#posix-platform-hooks: these run in the container's namespaces.
_IN_NAMESPACES = ("createContainer", "startContainer")
_QUOTED_MAX = 300  # characters of a hook's last line that an error quotes
_OUTPUT_MAX = 1 << 16  # bytes at the end of a hook's output in which its last line is looked for


class LocalHooks:
    """Runs hooks as children of this process.

    `state_json` returns a container's state as the runtime specification has it. `nsenter` is the
    command of `adapters.isolation.nsenter`; that program's arguments are appended.
    """

    def __init__(
        self, state_json: Callable[[FirmwareContainer, Status], bytes], nsenter: Sequence[str]
    ) -> None:
        self._state_json = state_json
        self._nsenter = nsenter

    def run(self, kind: str, hook: Hook, container: FirmwareContainer, status: Status) -> None:
        """Run one hook. When its time is up, kill the hook and all that it started."""
        import subprocess

        what = f"{kind} hook {hook.path} of container {container.id}"
        command, program = self._command(kind, hook, container)
        # Files, not pipes: a program that the hook leaves running could keep a pipe open.
        state, output = os.memfd_create("state"), os.memfd_create("output")
        try:
            write_all(state, self._state_json(container, status))
            os.lseek(state, 0, os.SEEK_SET)
            process = subprocess.Popen(
                command,
                executable=program,
                env=_environment(hook),
                stdin=state,
                stdout=output,
                stderr=output,
                cwd=container.bundle if os.path.isdir(container.bundle) else "/",
                start_new_session=True,
            )
            code = _wait(process, hook.timeout, what)
            if code != 0:
                how = f"was killed by signal {-code}" if code < 0 else f"exited {code}"
                raise HostFault(f"{what} {how}{_last_line(output)}")
        except OSError as error:
            raise host_fault(
                f"cannot run {what}", error, hint="check the path under hooks in config.json"
            ) from error
        finally:
            os.close(state)
            os.close(output)

    def _command(
        self, kind: str, hook: Hook, container: FirmwareContainer
    ) -> tuple[list[str], str]:
        """Return the arguments, the program's name first, and the program's path."""
        args = list(hook.args) or [hook.path]
        kinds = ",".join(namespace.kind for namespace in container.linux_config.namespaces)
        if kind not in _IN_NAMESPACES or not kinds:
            return args, hook.path
        process = (str(container.pid), str(container.start_time))
        return [*self._nsenter, *process, kinds, hook.path, *args], self._nsenter[0]


def _environment(hook: Hook) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in hook.env)
    return {name: value for name, equals, value in pairs if equals}


def _wait(process: subprocess.Popen[bytes], timeout: int | None, what: str) -> int:
    import subprocess

    try:
        return process.wait(timeout)
    except BaseException as error:
        os.killpg(process.pid, SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise HostFault(
                f"{what} has not ended within {timeout} s", hint="it was killed"
            ) from None
        raise


def _last_line(output: int) -> str:
    size = os.fstat(output).st_size
    text = os.pread(output, _OUTPUT_MAX, max(0, size - _OUTPUT_MAX)).decode(errors="replace")
    lines = text.strip().splitlines()
    return f": {lines[-1][-_QUOTED_MAX:]}" if lines else ""
