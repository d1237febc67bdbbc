"""The program `containerd-shim-remoteproc-v1`.

Each action imports its own: `start` must answer before protobuf would even be loaded.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

from adapters.containerd.flags import ShimFlags, parse
from domain.errors import RemoteprocError, reason

TYPE_CHECKING = False  # typing's own takes time to import
if TYPE_CHECKING:
    from domain.lifecycle import Lifecycle

_NAME = "containerd-shim-remoteproc-v1"
_SERVE = (
    "import sys; sys.path[:] = sys.argv.pop(1).split(':'); import bootstrap.shim as s; s.serve()"
)


def server_command() -> tuple[str, ...]:
    """Return the program and arguments of the process that `start` leaves; flags follow."""
    path = ":".join(os.path.abspath(entry) for entry in sys.path if entry)
    return (sys.executable, "-I", "-S", "-X", "utf8", "-c", _SERVE, path)


def make_lifecycle(namespace: str, warn: Callable[[str], None]) -> Lifecycle:
    """Return the use cases on the state root of a containerd namespace.

    Wired by hand: the injector would add 8 MiB to each pod, and 80 ms to its start.
    """
    from bootstrap import direct
    from bootstrap.settings import load_settings
    from domain.container import check_id

    settings = load_settings()
    root = f"{settings.run_directory}/containerd/{check_id(namespace)}"
    return direct.lifecycle(settings._replace(root=root), warn)


def serve() -> None:
    """Run the process that `start` leaves."""
    from adapters.containerd import shim_server

    call = parse(sys.argv[2:])
    gc.collect()
    gc.freeze()  # what is loaded by now stays
    shim_server.serve(call, lambda warn: make_lifecycle(call.namespace, warn))
    os._exit(0)


def main() -> None:
    """Do what containerd asks, and exit. Nothing but the reply may be printed, unless it fails."""
    gc.disable()  # a short life with no cycles worth finding
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


def _run(call: ShimFlags) -> bytes:
    if call.action == "start":
        from adapters.containerd.start import start

        return start(call, server_command())
    if call.action == "delete":
        from adapters.containerd.delete import delete
        from bootstrap.direct import warn

        return delete(call, make_lifecycle(call.namespace, warn))
    from adapters.containerd import info

    return info.info(call) if call.action == "info" else info.show_version(_NAME).encode()


def _fail(message: str) -> None:
    line = " ".join(message.split())
    os.write(2, f"{_NAME}: {line}\n".encode())
    os._exit(1)
