"""`update`: changes limits of a container's control group."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from adapters.oci.commands import CommandContext

if TYPE_CHECKING:
    import click

_DIGITS = 19  # of a number of bytes; int() fails for thousands of digits
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
# runc's options that change what firmware and its supervisor have no use for.
_IGNORED = (
    *("blkio-weight", "cpu-burst", "cpu-idle", "cpu-rt-period", "cpu-rt-runtime"),
    *("kernel-memory", "kernel-memory-tcp", "l3-cache-schema", "mem-bw-schema"),
)


def run(context: CommandContext, container_id: str, resources: str | None, **given: Any) -> None:
    """Change the limits of a container's control group.

    They hold for its supervisor, and for QEMU where it runs, and do not reach the firmware on a
    real processor. What is not given stays as it is. Sizes are as 1048576, 1024k or 1m; -1 is no
    limit.
    """
    from adapters.oci.resources import read_resources, read_resources_file

    limits: dict[str, int | str] = {}
    if resources == "-":
        limits = read_resources(sys.stdin.buffer.read(), "standard input")
    elif resources is not None:
        limits = read_resources_file(resources)
    limits |= {name.replace("_", ".", 1): value for name, value in given.items() if value}
    context.lifecycle.update(container_id, limits)


def _size(_: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """Read a number of bytes as 1048576, 1024k, 1m or -1. Raises click.BadParameter."""
    if text is None:
        return None
    if text == "-1":
        return -1
    number = text.lower().removesuffix("ib")
    unit = number[-1:] if number[-1:] in _UNITS else ""
    number = number.removesuffix(unit)
    if number.isascii() and number.isdigit() and len(number) <= _DIGITS:
        return int(number) * _UNITS[unit]
    import click

    raise click.BadParameter(f"{text!r} is no size: write 64m, or -1 for none", param=parameter)


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import CONTAINER_ID, command, ignored

    def limit(flag: str, text: str, *others: str, **settings: Any) -> click.Option:
        names = [f"--{flag}", *others, flag.replace("-", "_")]
        return click.Option(names, metavar="N", help=text, **settings)

    return command(
        "update",
        run,
        click.Option(
            ["--resources", "-r"],
            metavar="FILE",
            help="Read a LinuxResources object in JSON; - is the standard input.",
        ),
        click.Option(
            ["--memory", "memory_limit"], metavar="N", callback=_size, help="Bytes of memory."
        ),
        limit("memory-reservation", "Bytes left to it when memory is short.", callback=_size),
        limit("memory-swap", "Bytes of memory and swap.", callback=_size),
        limit("cpu-shares", "Weight among groups.", "--cpu-share", type=int),  # runc's and crun's
        limit("cpu-period", "Microseconds of a period.", type=int),
        limit("cpu-quota", "Microseconds of CPU in a period.", type=int),
        click.Option(["--cpuset-cpus", "cpu_cpus"], metavar="LIST", help="CPUs to run on."),
        click.Option(["--cpuset-mems", "cpu_mems"], metavar="LIST", help="Memory nodes to use."),
        limit("pids-limit", "Number of threads and processes.", type=int),
        *(ignored(f"--{name}", metavar="N") for name in _IGNORED),
        CONTAINER_ID,
    )
