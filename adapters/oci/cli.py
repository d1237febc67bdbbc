"""The command line of an OCI runtime (runc's surface)."""

from __future__ import annotations

import click

from adapters.oci import commands
from adapters.oci.commands import Context

SPEC_LINE = "spec: 1.2.1"
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("trace", "debug", "info", "warning", "error")

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
@click.option("--config", metavar="FILE", help="Configuration (default: /etc/remoteproc-runtime).")
@click.option("--root", metavar="DIR", help="Where the state of containers is kept.")
@click.option("--log", metavar="FILE", help="Append errors to this file, too.")
@click.option("--log-format", type=click.Choice(LOG_FORMATS), default="text")
@click.option(
    "--log-level",
    type=click.Choice(LOG_LEVELS),
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
    context.set_log(log, log_format, "debug" if debug else log_level)


@cli.command()
@_bundle
@_pid_file
@_ID
@pass_context
def create(context: Context, bundle: str, pid_file: str | None, container_id: str) -> None:
    """Create a container from a bundle; its firmware does not run yet."""
    commands.create(context, container_id, bundle, pid_file)


@cli.command()
@_ID
@pass_context
def start(context: Context, container_id: str) -> None:
    """Run a created container's firmware; returns when the processor runs it."""
    commands.start(context, container_id)


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
    status = commands.run(context, container_id, bundle, pid_file, detach=detach, keep=keep)
    click.get_current_context().exit(status)


@cli.command()
@_ID
@pass_context
def state(context: Context, container_id: str) -> None:
    """Show a container's state as JSON."""
    commands.state(context, container_id)


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
    commands.kill(context, container_id, signal)


@cli.command()
@click.option("--force", "-f", is_flag=True, help="Kill it first; no error if it is gone.")
@_ID
@pass_context
def delete(context: Context, force: bool, container_id: str) -> None:
    """Delete a stopped container."""
    commands.delete(context, container_id, force=force)


@cli.command("list")
@click.option("--format", "-f", "form", type=click.Choice(["table", "json"]), default="table")
@click.option("--quiet", "-q", is_flag=True, help="Show ids only.")
@pass_context
def list_(context: Context, form: str, quiet: bool) -> None:
    """List the containers under the state root."""
    commands.list_containers(context, form, quiet=quiet)


@cli.command()
@click.option("--follow", "-f", is_flag=True, help="Go on until the container has ended.")
@_ID
@pass_context
def logs(context: Context, follow: bool, container_id: str) -> None:
    """Show what a container's firmware printed lately."""
    commands.logs(context, container_id, follow=follow)


@cli.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def processors(context: Context, form: str) -> None:
    """Show the processors of this board: state, firmware, owner."""
    commands.processors(context, form)


@cli.command()
@_bundle
@click.option("--firmware", default="hello.elf", show_default=True, help="Path inside the image.")
@click.option("--processor", default="", metavar="NAME", help="Sets the annotation.")
def spec(bundle: str, firmware: str, processor: str) -> None:
    """Write a config.json for firmware into a bundle."""
    from adapters.oci.spec import write_spec

    write_spec(bundle, firmware, processor)
