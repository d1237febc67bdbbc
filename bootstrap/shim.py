"""The program `containerd-shim-remoteproc-v1`.

Each action imports only the modules that it needs: `start` takes less time than importing
protobuf would.
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

    flags = parse(sys.argv[2:])
    gc.collect()
    gc.freeze()  # the modules loaded by now stay
    shim_server.serve(flags, lambda warn: make_lifecycle(flags.namespace, warn))
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
        from bootstrap.direct import warn

        return delete(flags, make_lifecycle(flags.namespace, warn))
    from adapters.containerd import info

    return info.info(flags) if flags.action == "info" else info.show_version(_NAME).encode()


def _fail(message: str) -> None:
    line = " ".join(message.split())
    os.write(2, f"{_NAME}: {line}\n".encode())
    os._exit(1)
