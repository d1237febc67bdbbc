"""The command line of an OCI runtime (runc's surface), over the use cases."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from adapters.oci.report import LogTarget
from domain.lifecycle import Lifecycle

SPEC_LINE = "spec: 1.2.1"


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


pass_context = click.make_pass_decorator(Context)
_ID = click.argument("container_id", metavar="ID")
_bundle = click.option(
    "--bundle", "-b", default=".", metavar="DIR", help="The bundle's directory (default: here)."
)
_pid_file = click.option("--pid-file", metavar="FILE", help="Write the supervisor's pid there.")


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"remoteproc-runtime version {version('remoteproc-runtime')}\n{SPEC_LINE}")
    ctx.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", metavar="FILE", help="Configuration instead of /etc/remoteproc-runtime/.")
@click.option("--root", metavar="DIR", help="Where the state of containers is kept.")
@click.option("--log", metavar="FILE", help="Append errors to this file, too.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text")
@click.option(
    "--log-level",
    type=click.Choice(["trace", "debug", "info", "warning", "error"]),
    default="info",
    help="With debug, errors come with a traceback.",
)
@click.option("--debug", is_flag=True, help="Same as --log-level debug.")
@click.option(
    "--version",
    "-v",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_obj
def cli(
    context: Context,
    config: str | None,
    root: str | None,
    log: str | None,
    log_format: str,
    log_level: str,
    debug: bool,
) -> None:
    """Run firmware on remote processors as OCI containers.

    \b
    A bundle whose process.args is one firmware file runs on the processor that the
    annotation remoteproc.name names:
      remoteproc-runtime processors            what is on this board
      remoteproc-runtime spec --bundle DIR     write a config.json to begin with
      remoteproc-runtime create --bundle DIR ID; remoteproc-runtime start ID
    """
    context.config, context.root = config, root
    context.log.file = os.path.abspath(log) if log else ""
    context.log.json = log_format == "json"
    context.log.debug = debug or log_level in ("trace", "debug")


def write_pid(path: str | None, pid: int) -> None:
    """Write a pid file as engines expect it: the number alone, complete when it is there."""
    if path is None:
        return
    from adapters.host.files import fault

    path = os.path.abspath(path)
    temporary = f"{path}.{os.getpid()}~"
    try:
        with open(temporary, "w", encoding="ascii") as file:
            file.write(str(pid))
        os.rename(temporary, path)
    except OSError as error:
        raise fault(f"cannot write pid file {path}", error) from error


def _create(context: Context, bundle: str, pid_file: str | None, container_id: str) -> Lifecycle:
    from adapters.oci.bundle import read_bundle

    lifecycle = context.lifecycle
    container = lifecycle.create(read_bundle(container_id, bundle))
    try:
        write_pid(pid_file, container.pid)
    except BaseException:
        lifecycle.delete(container_id, force=True)
        raise
    return lifecycle


@cli.command()
@_bundle
@_pid_file
@_ID
@pass_context
def create(context: Context, bundle: str, pid_file: str | None, container_id: str) -> None:
    """Create a container from a bundle; its firmware does not run yet."""
    _create(context, bundle, pid_file, container_id)


@cli.command()
@_ID
@pass_context
def start(context: Context, container_id: str) -> None:
    """Run a created container's firmware; returns when the processor runs it."""
    context.lifecycle.start(container_id)


@cli.command()
@_bundle
@_pid_file
@click.option("--detach", "-d", is_flag=True, help="Return when the firmware runs.")
@click.option("--keep", is_flag=True, help="Do not delete the container when it has ended.")
@_ID
@pass_context
def run(
    context: Context,
    bundle: str,
    pid_file: str | None,
    detach: bool,
    keep: bool,
    container_id: str,
) -> None:
    """Create and start a container, wait for its end, delete it; exit as it did."""
    from adapters.oci.foreground import stay

    lifecycle = _create(context, bundle, pid_file, container_id)
    try:
        lifecycle.start(container_id)
    except BaseException:
        lifecycle.delete(container_id, force=True)
        raise
    if not detach:
        click.get_current_context().exit(stay(lifecycle, container_id, keep=keep))


@cli.command()
@_ID
@pass_context
def state(context: Context, container_id: str) -> None:
    """Show a container's state as JSON."""
    from adapters.oci import render

    click.echo(render.as_json(render.state(context.lifecycle.state(container_id))))


@cli.command()
@click.option("--all", "-a", "_all", is_flag=True, help="Accepted and ignored: there is only one.")
@_ID
@click.argument("signal", default="TERM")
@pass_context
def kill(context: Context, _all: bool, container_id: str, signal: str) -> None:
    """Send a signal: a name or a number (default TERM).

    TERM and INT stop the processor, KILL stops it and ends the container with 137; others are
    noted in the log. Returns when the processor is off.
    """
    from domain.signals import read_signal

    context.lifecycle.kill(container_id, read_signal(signal))


@cli.command()
@click.option("--force", "-f", is_flag=True, help="Kill it first; no error if it is gone.")
@_ID
@pass_context
def delete(context: Context, force: bool, container_id: str) -> None:
    """Delete a stopped container."""
    context.lifecycle.delete(container_id, force=force)


@cli.command("list")
@click.option("--format", "-f", "form", type=click.Choice(["table", "json"]), default="table")
@click.option("--quiet", "-q", is_flag=True, help="Show ids only.")
@pass_context
def list_(context: Context, form: str, quiet: bool) -> None:
    """List the containers under the state root."""
    from adapters.oci import render

    rows = context.lifecycle.all()
    if quiet:
        for row in rows:
            click.echo(row.id)
    elif form == "json":
        click.echo(render.as_json([render.state(row) for row in rows]))
    else:
        click.echo(render.containers(rows))


@cli.command()
@click.option("--follow", "-f", is_flag=True, help="Go on until the container has ended.")
@_ID
@pass_context
def logs(context: Context, follow: bool, container_id: str) -> None:
    """Show what a container's firmware printed lately."""
    from adapters.oci.logs import show

    show(context.lifecycle, container_id, follow=follow, out=sys.stdout.buffer)


@cli.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def processors(context: Context, form: str) -> None:
    """Show the processors of this board: state, firmware, owner."""
    from adapters.oci import render

    rows = context.lifecycle.processors()
    if form == "json":
        click.echo(render.as_json([render.processor(row) for row in rows]))
    else:
        click.echo(render.processors(rows))


@cli.command()
@_bundle
@click.option("--firmware", default="hello.elf", show_default=True, help="Path inside the image.")
@click.option("--processor", default="", metavar="NAME", help="Sets the annotation.")
def spec(bundle: str, firmware: str, processor: str) -> None:
    """Write a config.json for firmware into a bundle."""
    from adapters.oci.spec import write_spec

    write_spec(bundle, firmware, processor)
