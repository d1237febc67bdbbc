"""The command line of an OCI runtime (runc's surface): the global options and all commands."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import click

from adapters import __version__
from adapters.oci import commands
from adapters.oci.commands import CommandContext
from adapters.oci.exit_codes import PROGRAM
from adapters.oci.options import ignored
from adapters.oci.render import OCI_VERSION

_HELP = """Run firmware on remote processors as OCI containers.

Engines call this program as they call runc: podman --runtime "$(command -v
remoteproc-runtime)" run ... By hand, a bundle whose process.args is one firmware file runs on
the processor that the annotation remoteproc.name names:

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
the processor crashed. A command that fails exits with 1, or with 2 if its arguments are wrong.
Completion for bash:
eval "$(_REMOTEPROC_RUNTIME_COMPLETE=bash_source remoteproc-runtime)"
"""


class _Commands(click.Group):
    """The modules of `adapters.oci.commands`; only the wanted ones are imported."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of the modules, in the order of the alphabet."""
        modules = pkgutil.iter_modules(commands.__path__)
        return sorted(module.name.replace("_", "-") for module in modules)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the grammar that the module `name` holds; None if there is no such module."""
        if name not in self.list_commands(ctx):
            return None
        module = import_module(f"{commands.__name__}.{name.replace('-', '_')}")
        found: click.Command = module.command()
        return found


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    click.echo(f"{PROGRAM} version {__version__}\nspec: {OCI_VERSION}")
    ctx.exit()


cli = _Commands(
    PROGRAM,
    params=[
        click.Option(
            ["--config"],
            metavar="FILE",
            help="Configuration (default: /etc/remoteproc-runtime/config.yaml).",
        ),
        click.Option(
            ["--root"],
            metavar="DIR",
            help="Where the state of containers is kept (default for root: "
            "/run/remoteproc-runtime/containers).",
        ),
        click.Option(["--log"], metavar="FILE", help="Append errors to this file, too."),
        click.Option(
            ["--log-format"],
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="The format of that file.",
        ),
        click.Option(
            ["--log-level"],
            type=click.Choice(
                ["trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"]
            ),
            default="info",
            show_default=True,
            help="With debug, errors come with a traceback.",
        ),
        click.Option(["--debug"], is_flag=True, help="Same as --log-level debug."),
        click.Option(
            ["--annotations"],
            metavar="KEY=VALUE[,...]",
            help="For new containers: instead of the bundle's, which an image may have written.",
        ),
        click.Option(
            ["--cgroup-manager"],
            type=click.Choice(["cgroupfs", "systemd", "disabled"]),
            help="With disabled, supervisors stay in the caller's control group.",
        ),
        click.Option(
            ["--bundle"],
            metavar="DIR",
            help="The same as --bundle of create and run; arm/remoteproc-runtime has it here.",
        ),
        ignored("--systemd-cgroup", is_flag=True),
        ignored("--rootless", metavar="true|false|auto"),
        click.Option(
            ["--version", "-v"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ],
    callback=click.pass_obj(CommandContext.set_options),
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
