"""The program `containerd-shim-remoteproc-v1`.

Each action imports only the modules that it needs: `start` takes less time than importing
protobuf would.
"""

from __future__ import annotations

import gc
import os
import sys

from adapters.containerd.flags import NAME, ShimFlags, parse
from domain.errors import RemoteprocError, internal_error, reason

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.containerd.spare_shim import RunShim
    from adapters.supervisor.standby import Standby
    from domain.lifecycle import Lifecycle

_SERVE = (
    "import sys; sys.path[:] = sys.argv.pop(1).split(':');"
    "import bootstrap.fast_import as f; f.install();"
    "import bootstrap.shim as s; s.serve()"
)


def server_command() -> tuple[str, ...]:
    """Return the program and arguments of the process that `start` leaves; flags follow."""
    path = ":".join(os.path.abspath(entry) for entry in sys.path if entry)
    return (sys.executable, "-I", "-S", "-X", "utf8", "-c", _SERVE, path)


def serve() -> None:
    """Run the process that `start` leaves: a fork server with its first shim, or only the shim."""
    from bootstrap import programs
    from bootstrap.wiring import ShimProgram

    arguments = sys.argv[2:]
    gc.disable()  # imports leave nothing to collect
    server = ShimProgram(prepare_shim).fork_server()
    opened = server.open()
    if opened:
        programs.load_shim()
    gc.enable()
    if opened and server.fork_first(arguments):
        server.serve()
    prepare_shim()(arguments)


def prepare_shim() -> RunShim:
    """Do what a shim can do before it knows its containers; return what runs it then."""
    from adapters.containerd import shim_server
    from bootstrap.wiring import ShimProgram

    shim_server.prepare_process()
    standby = ShimProgram(prepare_shim).standby()
    standby.open()  # before this process has threads
    return lambda arguments: _run_shim(standby, arguments)


def _run_shim(standby: Standby, arguments: Sequence[str]) -> None:
    """Serve the socket of a group of containers until the end."""
    from adapters.containerd import shim_server
    from adapters.containerd.delete import delete_orphans
    from bootstrap.programs import supervisor_environment
    from bootstrap.wiring import Shim

    flags = parse(arguments)
    bundles = os.path.dirname(os.getcwd())
    shim = Shim(flags, os.environ.get("TTRPC_ADDRESS", ""), standby)
    standby.begin(supervisor_environment(), several=flags.pod)
    gc.collect()
    gc.freeze()  # the modules loaded by now stay
    shim.log().open()
    shim_server.register(shim.server(), shim.service(), shim.queries(), shim.execs(), shim.linux())
    shim_server.run(flags.socket, shim.server(), shim.publisher())
    try:
        delete_orphans(_records(flags.namespace), bundles, shim.lifecycle)
    finally:
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
        _fail(internal_error(error))
    os.write(1, output)
    os._exit(0)


def _run(flags: ShimFlags) -> bytes:
    if flags.action == "start":
        from adapters.containerd.start import start

        return start(flags, _fork_servers_directory, server_command)
    if flags.action == "delete":
        from adapters.containerd.delete import delete

        return delete(flags, _records(flags.namespace), lambda: _lifecycle_for(flags.namespace))
    from adapters.containerd import info

    return info.info(flags) if flags.action == "info" else info.show_version(NAME).encode()


def _fork_servers_directory() -> str:
    from bootstrap.settings import fork_servers_directory

    return fork_servers_directory()


def _records(namespace: str) -> str:
    """Return the directory of the namespace's containers."""
    from bootstrap.settings import load_settings, namespace_root

    return namespace_root(load_settings(), namespace)


def _lifecycle_for(namespace: str) -> Lifecycle:
    """Return the use cases, which take long to import."""
    from bootstrap import programs

    return programs.lifecycle_for_namespace(
        namespace, programs.warn_on_stderr, programs.spawn_supervisor
    )


def _fail(message: str) -> None:
    line = " ".join(message.split())
    os.write(2, f"{NAME}: {line}\n".encode())
    os._exit(1)
