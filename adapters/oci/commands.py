"""What each command does, apart from how it was written on the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from adapters.oci.report import LogTarget
from domain.lifecycle import Lifecycle


class Context:
    """What the global options say, and how to get at the use cases."""

    def __init__(self, make: Callable[[str | None, str | None], Lifecycle], log: LogTarget) -> None:
        self._make = make
        self.log = log
        self.config: str | None = None
        self.root: str | None = None

    @property
    def lifecycle(self) -> Lifecycle:
        """The use cases on what is configured."""
        return self._make(self.config, self.root)

    def set_log(self, file: str | None, form: str, level: str) -> None:
        """Say where errors go besides stderr, and whether they come with a traceback."""
        self.log.file = os.path.abspath(file) if file else ""
        self.log.json = form == "json"
        self.log.debug = level in ("trace", "debug")


def create(
    context: Context, container_id: str, bundle: str = ".", pid_file: str | None = None
) -> Lifecycle:
    """Create a container, and its pid file; without that, no container either."""
    from adapters.oci.bundle import read_bundle
    from domain.ports import Stdio

    lifecycle = context.lifecycle
    stdio = Stdio(interactive=not os.isatty(0))  # a shell's terminal stays the shell's
    container = lifecycle.create(read_bundle(container_id, bundle), stdio)
    try:
        _write_pid(pid_file, container.pid)
    except BaseException:
        lifecycle.delete(container_id, force=True)
        raise
    return lifecycle


def _write_pid(path: str | None, pid: int) -> None:
    """Write a pid file as engines expect it: the number alone, complete when it is there."""
    if path is None:
        return
    path = os.path.abspath(path)
    temporary = f"{path}.{os.getpid()}~"
    try:
        with open(temporary, "w", encoding="ascii") as file:
            file.write(str(pid))
        os.rename(temporary, path)
    except OSError as error:
        from domain.errors import HostFault, reason

        raise HostFault(
            f"cannot write pid file {path}: {reason(error)}", errno=error.errno or 0
        ) from error


def start(context: Context, container_id: str) -> None:
    """Run a created container's firmware."""
    context.lifecycle.start(container_id)


def run(
    context: Context,
    container_id: str,
    bundle: str,
    pid_file: str | None,
    *,
    detach: bool,
    keep: bool,
) -> int:
    """Create and start; unless detached, wait and delete. Return the exit status."""
    from adapters.oci.foreground import stay

    lifecycle = create(context, container_id, bundle, pid_file)
    try:
        lifecycle.start(container_id)
    except BaseException:
        lifecycle.delete(container_id, force=True)
        raise
    return 0 if detach else stay(lifecycle, container_id, keep=keep)


def state(context: Context, container_id: str) -> None:
    """Show a container's state."""
    from adapters.oci import render

    _show(render.as_json(render.state(context.lifecycle.state(container_id))))


def kill(context: Context, container_id: str, signal: str = "TERM") -> None:
    """Send a signal, by name or number."""
    from domain.signals import read_signal

    context.lifecycle.kill(container_id, read_signal(signal))


def delete(context: Context, container_id: str, *, force: bool = False) -> None:
    """Delete a container."""
    context.lifecycle.delete(container_id, force=force)


def list_containers(context: Context, form: str = "table", *, quiet: bool = False) -> None:
    """Show all containers."""
    from adapters.oci import render

    rows = context.lifecycle.all()
    if quiet:
        _show("\n".join(row.id for row in rows))
    elif form == "json":
        _show(render.as_json([render.state(row) for row in rows]))
    else:
        _show(render.containers(rows))


def logs(context: Context, container_id: str, *, follow: bool) -> None:
    """Show what the firmware printed."""
    from adapters.oci.logs import show

    show(context.lifecycle, container_id, follow=follow, out=sys.stdout.buffer)


def processors(context: Context, form: str) -> None:
    """Show what is on this board."""
    from adapters.oci import render

    rows = context.lifecycle.processors()
    if form == "json":
        _show(render.as_json([render.processor(row) for row in rows]))
    else:
        _show(render.processors(rows))


def _show(text: str) -> None:
    if text:
        sys.stdout.write(text + "\n")
