"""What each command does, apart from how it was written on the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from adapters.oci.exit_codes import PROGRAM, LogTarget
from domain.lifecycle import CreateRequest, Lifecycle
from domain.selection import no_processors


class CommandContext:
    """What the global options say, and how to get at the use cases."""

    def __init__(self, make: Callable[[str | None, str | None], Lifecycle], log: LogTarget) -> None:
        self.make = make
        self.log = log
        self.config: str | None = None
        self.root: str | None = None
        self.cgroups = True

    @property
    def lifecycle(self) -> Lifecycle:
        """The use cases on what is configured."""
        return self.make(self.config, self.root)

    def adapted(self, request: CreateRequest) -> CreateRequest:
        """Return the request as the global options want it."""
        if self.cgroups:
            return request
        return request._replace(linux_config=request.linux_config._replace(cgroup="", limits={}))

    def set_log(self, file: str | None, form: str, level: str) -> None:
        """Say where errors go besides stderr, and whether they come with a traceback."""
        self.log.file = os.path.abspath(file) if file else ""
        self.log.json = form == "json"
        self.log.debug = level in ("trace", "debug")


def create(
    context: CommandContext,
    container_id: str,
    bundle: str = ".",
    pid_file: str | None = None,
    console_socket: str | None = None,
) -> None:
    """Create a container, and its pid file; without that, no container either."""
    from adapters.oci.bundle import read_bundle
    from adapters.oci.terminal import new_terminal
    from domain.ports import Stdio

    lifecycle, request = context.lifecycle, read_bundle(container_id, bundle)
    with new_terminal(request.terminal, console_socket, request.size) as terminal:
        # A shell's terminal stays the shell's.
        stdio = Stdio(interactive=not os.isatty(0))
        if terminal is not None:
            at = terminal.slave
            stdio = Stdio(at, at, at, interactive=True, terminal=True)
        container = lifecycle.create(context.adapted(request), stdio)
        try:
            if terminal is not None and console_socket is not None:
                terminal.send(console_socket)
            _write_pid(pid_file, container.pid)
        except BaseException:
            lifecycle.delete(container_id, force=True)
            raise


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
        from domain.errors import host_fault

        raise host_fault(f"cannot write pid file {path}", error) from error


def start(context: CommandContext, container_id: str) -> None:
    """Run a created container's firmware."""
    context.lifecycle.start(container_id)


def run(
    context: CommandContext,
    container_id: str,
    bundle: str = ".",
    pid_file: str | None = None,
    console_socket: str | None = None,
    *,
    detach: bool = False,
    keep: bool = False,
) -> int:
    """Create and start; unless detached, wait and delete. Return the exit status."""
    from adapters.oci import foreground

    lifecycle = context.lifecycle
    if detach or console_socket is not None:
        create(context, container_id, bundle, pid_file, console_socket)
        return foreground.begin(lifecycle, container_id, detach=detach, keep=keep)
    from adapters.oci.bundle import read_bundle

    request = context.adapted(read_bundle(container_id, bundle))
    with foreground.stdio(request.terminal) as stdio:
        container = lifecycle.create(request, stdio)
        try:
            _write_pid(pid_file, container.pid)
        except BaseException:
            lifecycle.delete(container_id, force=True)
            raise
        return foreground.begin(lifecycle, container_id, detach=False, keep=keep)


def state(context: CommandContext, container_id: str) -> None:
    """Show a container's state."""
    from adapters.oci import render

    _show(render.as_json(render.state(context.lifecycle.state(container_id))))


def kill(context: CommandContext, container_id: str, signal: str = "TERM") -> None:
    """Send a signal, by name or number."""
    from domain.signals import read_signal

    context.lifecycle.kill(container_id, read_signal(signal))


def delete(context: CommandContext, container_id: str, *, force: bool = False) -> None:
    """Delete a container."""
    context.lifecycle.delete(container_id, force=force)


def list_containers(context: CommandContext, form: str = "table", *, quiet: bool = False) -> None:
    """Show all containers."""
    from adapters.oci import render

    rows = context.lifecycle.all()
    if quiet:
        _show("\n".join(row.id for row in rows))
    elif form == "json":
        _show(render.as_json([render.state(row) for row in rows]))
    else:
        _show(render.containers(rows))


def pause(context: CommandContext, container_id: str) -> None:
    """Freeze a container's firmware."""
    context.lifecycle.pause(container_id)


def resume(context: CommandContext, container_id: str) -> None:
    """Let it go on."""
    context.lifecycle.resume(container_id)


def ps(context: CommandContext, container_id: str, form: str = "table") -> None:
    """Show the processes that stand for a container."""
    from adapters.oci import ps_events, render

    pids = ps_events.processes(context.lifecycle.state(container_id))
    _show(render.as_json(pids) if form == "json" else ps_events.ps_table(pids))


def execute(
    context: CommandContext,
    container_id: str,
    words: Sequence[str] = (),
    process: str | None = None,
    pid_file: str | None = None,
    console_socket: str | None = None,
    *,
    detach: bool = False,
    tty: bool = False,
) -> int:
    """Answer a built-in command; return its exit code. What cannot be run at all is 255."""
    from adapters.oci import execute as inside
    from adapters.oci.terminal import new_terminal

    if process is not None:
        from adapters.oci.bundle import read_process

        words, wants = read_process(process)
        tty = tty or wants
    work = inside.prepare(context.lifecycle, container_id, words)
    if not detach and console_socket is None:
        return work()  # on the terminal that there is, if any
    with new_terminal(tty or console_socket is not None, console_socket, raw=False) as terminal:
        if terminal is not None and console_socket is not None:
            terminal.send(console_socket)
        pid = inside.detached(work, terminal.slave if terminal else None)
        _write_pid(pid_file, pid)
    return 0 if detach else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def events(
    context: CommandContext, container_id: str, interval: float = 5.0, *, stats: bool = False
) -> None:
    """Print what a container uses, again and again until it has ended, or once."""
    from adapters.oci.ps_events import follow

    follow(context.lifecycle, container_id, interval, once=stats)


def update(context: CommandContext, container_id: str) -> None:
    """Refuse: there is nothing to update."""
    from domain.errors import Unsupported

    context.lifecycle.state(container_id)
    raise Unsupported(
        f"cannot update container {container_id}: firmware runs outside of Linux's limits",
        hint="limits of its supervisor are set at creation",
    )


def features() -> None:
    """Print the features document."""
    from importlib.metadata import version

    from adapters.oci import features, render

    _show(render.as_json(features.features(version("remoteproc-runtime"))))


def logs(context: CommandContext, container_id: str, *, follow: bool) -> None:
    """Show what the firmware printed."""
    from adapters.oci.logs import show

    show(context.lifecycle, container_id, follow=follow, out=sys.stdout.buffer)


def processors(context: CommandContext, form: str) -> None:
    """Show what is on this board."""
    from adapters.oci import render

    rows = context.lifecycle.processors()
    if form == "json":
        _show(render.as_json([render.processor(row) for row in rows]))
    else:
        _show(render.processors(rows))
        if not rows:
            print(f"{PROGRAM}: {no_processors()}", file=sys.stderr)


def _show(text: str) -> None:
    if text:
        sys.stdout.write(text + "\n")
