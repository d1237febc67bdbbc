"""The command line of an OCI runtime (runc's surface)."""

from __future__ import annotations

from typing import Any

import click

from adapters.oci import commands
from adapters.oci.commands import CommandContext
from adapters.oci.fast_args import CGROUP_MANAGERS, LOG_FORMATS, LOG_LEVELS
from adapters.oci.options import (
    ID,
    bundle_option,
    console_option,
    format_option,
    ignored,
    pid_file_option,
    process_options,
)

SPEC_LINE = "spec: 1.2.1"

pass_context = click.make_pass_decorator(CommandContext)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"remoteproc-runtime version {version('remoteproc-runtime')}\n{SPEC_LINE}")
    ctx.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config", metavar="FILE", help="Configuration (default: /etc/remoteproc-runtime/config.yaml)."
)
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
    "--cgroup-manager",
    type=click.Choice(CGROUP_MANAGERS),
    help="With disabled, supervisors stay in the caller's control group.",
)
@ignored("--systemd-cgroup", is_flag=True)
@ignored("--rootless", metavar="true|false|auto")
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
    context: CommandContext,
    config: str | None,
    root: str | None,
    log: str | None,
    log_format: str,
    log_level: str,
    debug: bool,
    cgroup_manager: str | None,
) -> None:
    """Run firmware on remote processors as OCI containers.

    Engines call this program as they call runc: podman --runtime remoteproc-runtime run ... By
    hand, a bundle whose process.args is one firmware file runs on the processor that the
    annotation remoteproc.name names:

    \b
      remoteproc-runtime processors                 what is on this board
      mkdir -p b/rootfs; cp hello.elf b/rootfs
      remoteproc-runtime spec --bundle b            write b/config.json
      remoteproc-runtime run --bundle b hello       run it here; Ctrl-C stops it

    \b
    or step by step:
      remoteproc-runtime create --bundle b hello    copy the firmware, nothing runs yet
      remoteproc-runtime start hello                run it; fails with the kernel's reason
      remoteproc-runtime logs --follow hello        what it prints
      remoteproc-runtime kill hello; remoteproc-runtime delete hello

    A container's exit status is 0 if it was stopped or ended well, 137 if it was killed, 139 if
    the processor crashed. Completion for bash:
    eval "$(_REMOTEPROC_RUNTIME_COMPLETE=bash_source remoteproc-runtime)"
    """
    context.config, context.root = config, root
    context.cgroups = cgroup_manager != "disabled"
    context.set_log(log, log_format, "debug" if debug else log_level)


@cli.command()
@process_options
@ID
@pass_context
def create(context: CommandContext, /, container_id: str, **options: Any) -> None:
    """Create a container from a bundle; its firmware does not run yet.

    Its stdin, if that is no terminal, feeds the firmware's console; the firmware's output goes to
    its stdout.
    """
    commands.create(context, container_id, **options)


@cli.command()
@ID
@pass_context
def start(context: CommandContext, container_id: str) -> None:
    """Run a created container's firmware; returns when the processor runs it."""
    commands.start(context, container_id)


@cli.command()
@process_options
@click.option("--detach", "-d", is_flag=True, help="Return when the firmware runs.")
@click.option("--keep", is_flag=True, help="Do not delete the container when it has ended.")
@ID
@pass_context
def run(context: CommandContext, /, container_id: str, **options: Any) -> None:
    """Create and start a container, wait for its end, delete it; exit as it did."""
    click.get_current_context().exit(commands.run(context, container_id, **options))


@cli.command()
@ID
@pass_context
def state(context: CommandContext, container_id: str) -> None:
    """Show a container's state as JSON."""
    commands.state(context, container_id)


@cli.command()
@ignored("--all", "-a", is_flag=True)
@ID
@click.argument("signal", default="TERM")
@pass_context
def kill(context: CommandContext, container_id: str, signal: str) -> None:
    """Send a signal: a name or a number (default TERM).

    TERM and INT stop the processor, KILL stops it and ends the container with 137; others are
    noted in the log. Returns when the processor is off.
    """
    commands.kill(context, container_id, signal)


@cli.command()
@click.option("--force", "-f", is_flag=True, help="Kill it first; no error if it is gone.")
@ID
@pass_context
def delete(context: CommandContext, force: bool, container_id: str) -> None:
    """Delete a stopped container."""
    commands.delete(context, container_id, force=force)


@cli.command("list")
@format_option
@click.option("--quiet", "-q", is_flag=True, help="Show ids only.")
@pass_context
def list_(context: CommandContext, form: str, quiet: bool) -> None:
    """List the containers under the state root."""
    commands.list_containers(context, form, quiet=quiet)


@cli.command()
@ID
@pass_context
def pause(context: CommandContext, container_id: str) -> None:
    """Freeze the firmware, where the processor can (simulated ones)."""
    commands.pause(context, container_id)


@cli.command()
@ID
@pass_context
def resume(context: CommandContext, container_id: str) -> None:
    """Let frozen firmware go on."""
    commands.resume(context, container_id)


@cli.command()
@format_option
@ID
@pass_context
def ps(context: CommandContext, form: str, container_id: str) -> None:
    """Show the Linux processes that stand for a container."""
    commands.ps(context, container_id, form)


@cli.command(
    "exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option("--process", "-p", metavar="FILE", help="A process object with args (JSON).")
@pid_file_option
@console_option
@click.option("--detach", "-d", is_flag=True, help="Do it in a process of its own.")
@click.option("--tty", "-t", is_flag=True, help="Give it a terminal.")
@ignored("--cwd", metavar="DIR")
@ignored("--env", "-e", metavar="NAME=VALUE", multiple=True)
@ignored("--user", "-u", metavar="UID")
@ignored("--preserve-fds", metavar="N")
@ignored("--no-new-privs", is_flag=True)
@ignored("--cap", "-c", metavar="CAP", multiple=True)
@ignored("--cgroup", metavar="PATH")
@ID
@click.argument("words", nargs=-1, metavar="COMMAND", type=click.UNPROCESSED)
@pass_context
def exec_(
    context: CommandContext, /, container_id: str, words: tuple[str, ...], **options: Any
) -> None:
    """Ask about a container from inside, as health checks do.

    Firmware has no programs. There are status, logs, trace, resource-table, firmware and help;
    status fails unless the firmware runs. Any other command exits 127.
    """
    click.get_current_context().exit(commands.execute(context, container_id, words, **options))


@cli.command()
@click.option("--stats", is_flag=True, help="Print once and end.")
@click.option("--interval", default="5s", metavar="TIME", help="Time between two, as 500ms or 5s.")
@ID
@pass_context
def events(context: CommandContext, container_id: str, interval: str, stats: bool) -> None:
    """Print what a container uses, as JSON, until it has ended."""
    commands.events(context, container_id, _seconds(interval), stats=stats)


def _seconds(text: str) -> float:
    """Read a time as Go writes it, of one unit."""
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)):
        number = text.removesuffix(unit)
        if text.endswith(unit) and number.replace(".", "", 1).isdigit() and float(number) > 0:
            return float(number) * factor
    raise click.BadParameter(f"{text!r} is no time: write 500ms or 5s", param_hint="--interval")


@cli.command(context_settings={"ignore_unknown_options": True})
@ID
@click.argument("limits", nargs=-1, type=click.UNPROCESSED)
@pass_context
def update(context: CommandContext, container_id: str, limits: tuple[str, ...]) -> None:
    """Fail: limits of Linux do not reach firmware."""
    words = [word for word in (container_id, *limits) if not word.startswith("-")]
    commands.update(context, words[-1] if words else container_id)


@cli.command()
def features() -> None:
    """Print which parts of the runtime specification are recognised, as JSON."""
    commands.features()


@cli.command()
@click.option("--follow", "-f", is_flag=True, help="Go on until the container has ended.")
@ID
@pass_context
def logs(context: CommandContext, follow: bool, container_id: str) -> None:
    """Show what a container's firmware printed lately."""
    commands.logs(context, container_id, follow=follow)


@cli.command()
@format_option
@pass_context
def processors(context: CommandContext, form: str) -> None:
    """Show the processors of this board: state, firmware, owner."""
    commands.processors(context, form)


@cli.command()
@bundle_option
@click.option("--firmware", default="hello.elf", show_default=True, help="Path inside the image.")
@click.option("--processor", default="", metavar="NAME", help="Sets the annotation.")
@ignored("--rootless", is_flag=True)
def spec(bundle: str, firmware: str, processor: str) -> None:
    """Write a config.json for firmware into a bundle."""
    from adapters.oci.spec import write_spec

    write_spec(bundle, firmware, processor)
