"""The program `remoteproc-sim`: shows a simulated board as the kernel's files."""

from __future__ import annotations

import os
import sys

import click

from domain.errors import RemoteprocError
from domain.text import printable

PROGRAM = "remoteproc-sim"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--board", required=True, metavar="FILE", help="A board file, or a shipped board.")
@click.option("--root", required=True, metavar="DIR", help="Where the tree shall appear.")
def command(board: str, root: str) -> None:
    """Show a simulated board under DIR, as the Linux kernel shows a real one under /.

    \b
      DIR/sys/class/remoteproc/remoteprocN/                state, firmware, recovery, ...
      DIR/sys/module/firmware_class/parameters/path        where else firmware is looked for
      DIR/sys/kernel/debug/remoteproc/remoteprocN/         trace0, crash, ...
      DIR/sys/kernel/debug/remoteproc-sim/remoteprocN/     faults on request, console
      DIR/dev/kmsg                                         what the kernel logs
      DIR/dev/ttyRPMSGn                                    the firmware's rpmsg tty
      DIR/lib/firmware/                                    put firmware here

    Stays in the foreground, says `ready` on stdout, and ends on SIGTERM or Ctrl-C.
    """
    from adapters.sim.board_file import load_board
    from adapters.sim.fuse.mount import serve
    from adapters.sim.fuse.tree import names

    spec = load_board(board)
    shown = os.path.abspath(root)

    def ready() -> None:
        where = printable(f"{', '.join(names(spec))} in {shown}/sys")
        print(f"{PROGRAM}: ready: {where}", flush=True)

    serve(spec, root, ready)


def _complain(text: str) -> None:
    print(f"{PROGRAM}: {printable(text)}", file=sys.stderr)


def main() -> None:
    """Run the program and exit; an error is one line."""
    code = 0
    try:
        command.main(prog_name=PROGRAM, standalone_mode=False)
    except RemoteprocError as error:
        _complain(str(error))
        code = 1
    except click.ClickException as error:
        _complain(f"{error.format_message().removesuffix('.')}; see `{PROGRAM} --help`")
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except OSError as error:
        _complain(f"{error.filename or 'system'}: {error.strerror}")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # A program that still waits in a write gets an error now: the kernel aborts the requests to a
    # file system whose process has ended.
    os._exit(code)
