"""The program `containerd-shim-remoteproc-v1`.

Each action imports only the modules that it needs: `start` takes less time than importing
protobuf would.
"""

from __future__ import annotations

import gc
import os
import sys

from adapters.containerd.flags import NAME, ShimFlags, parse
from domain.errors import RemoteprocError, reason

_SERVE = (
    "import sys; sys.path[:] = sys.argv.pop(1).split(':'); import bootstrap.shim as s; s.serve()"
)


def server_command() -> tuple[str, ...]:
    """Return the program and arguments of the process that `start` leaves; flags follow."""
    path = ":".join(os.path.abspath(entry) for entry in sys.path if entry)
    return (sys.executable, "-I", "-S", "-X", "utf8", "-c", _SERVE, path)


def serve() -> None:
    """Run the process that `start` leaves."""
    from adapters.containerd import shim_server
    from bootstrap.wiring import Shim

    flags = parse(sys.argv[2:])
    gc.collect()
    gc.freeze()  # the modules loaded by now stay
    shim = Shim(flags, os.environ.get("TTRPC_ADDRESS", ""))
    shim_server.prepare_process()
    shim.fork_server().open()  # before this process has threads
    shim.log().open()
    shim_server.register(shim.server(), shim.service(), shim.queries(), shim.execs())
    shim_server.run(flags.socket, shim.server(), shim.publisher())
    os._exit(0)


def main() -> None:
    """Run the action that containerd calls, print its reply and nothing else, and exit."""
    gc.disable()  # this process ends before there is anything worth collecting
    try:
        output = _run(parse(sys.argv[1:]))
    except RemoteprocError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'system'}: {reason(error)}")
    except Exception as error:
        _fail(f"internal error: {type(error).__name__}: {error}")
    os.write(1, output)
    os._exit(0)


def _run(flags: ShimFlags) -> bytes:
    if flags.action == "start":
        from adapters.containerd.start import start

        return start(flags, server_command())
    if flags.action == "delete":
        from adapters.containerd.delete import delete
        from bootstrap import programs

        lifecycle = programs.lifecycle_for_namespace(
            flags.namespace, programs.warn_on_stderr, programs.spawn_supervisor
        )
        return delete(flags, lifecycle)
    from adapters.containerd import info

    return info.info(flags) if flags.action == "info" else info.show_version(NAME).encode()


def _fail(message: str) -> None:
    line = " ".join(message.split())
    os.write(2, f"{NAME}: {line}\n".encode())
    os._exit(1)
