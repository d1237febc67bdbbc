"""The action `start`: print the address of the group's shim, and start that shim if need be.

`start` binds the socket and passes it on, so that containerd can connect before the new process
serves it. The fork server starts the shim; the first time, that server is started itself. The user
waits for this module's imports.
"""

from __future__ import annotations

import os

from adapters.containerd import sockets
from adapters.containerd.bootstrap_reply import STDIN_MAX, Bootstrap, read_bootstrap, reply
from adapters.containerd.flags import NAME, ShimFlags
from adapters.encoding.light_json import loads
from adapters.linux.files import open_directory, read_all, write_existing, write_whole
from domain.errors import InvalidRequest, NotFound, host_fault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LISTENER = 3  # the descriptor of the socket in the spawned process

# Source: containerd cmd/containerd-shim-runc-v2/manager/manager_linux.go.
_GROUPS = ("io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id")
_CONFIG_MAX = 8 << 20  # bytes


def start(
    flags: ShimFlags, servers: Callable[[], str], command: Callable[[], Sequence[str]]
) -> bytes:
    """Return the reply.

    `servers` returns the directory of the fork servers' sockets. `command` returns the program that
    serves where there is no such server; its flags are appended.
    """
    params = read_bootstrap(_read_stdin(), flags.id, flags.namespace)
    bootstrap = params or Bootstrap()
    grpc = bootstrap.grpc_address or flags.address
    pod = group()
    path = sockets.path_for(bootstrap.socket_directory, grpc, flags.namespace, pod or flags.id)
    address = f"unix://{path}"
    _write_address(address, bootstrap.socket_directory)
    listener = sockets.listen(path, bundle=os.getcwd())
    if listener is not None:
        try:
            arguments = _arguments(flags, path, pod=bool(pod))
            _serve(servers, command, arguments, _environment(bootstrap), listener.fileno())
        except BaseException:
            sockets.remove(path)
            raise
    return reply(address, params, os.environ)


def _read_stdin() -> bytes:
    parts = []
    left = STDIN_MAX
    try:
        while left > 0 and (part := os.read(0, min(left, 1 << 16))):
            parts.append(part)
            left -= len(part)
    except OSError:
        pass  # containerd gave no stdin
    return b"".join(parts)


def group() -> str:
    """Return the group of the bundle in the current directory, "" for none.

    The containers of a group share a shim.
    """
    try:
        with open("config.json", "rb") as file:
            annotations = loads(file.read(_CONFIG_MAX)).get("annotations") or {}
            found = [annotations[key] for key in _GROUPS if annotations.get(key)]
    except FileNotFoundError:
        raise NotFound(f"{os.getcwd()}/config.json does not exist") from None
    except OSError as error:
        raise host_fault("cannot read config.json", error) from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise InvalidRequest(f"{os.getcwd()}/config.json is not a bundle's: {error}") from error
    return str(found[0]) if found else ""


def _arguments(flags: ShimFlags, path: str, *, pod: bool) -> list[str]:
    found = ["-namespace", flags.namespace, "-id", flags.id, "-address", flags.address]
    switches = [*(["-debug"] if flags.debug else []), *(["-pod"] if pod else [])]
    return [*found, "-socket", path, *switches, "start"]


def _serve(
    servers: Callable[[], str],
    command: Callable[[], Sequence[str]],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    listener: int,
) -> None:
    from adapters.containerd.shim_fork_client import request_shim

    _raise_oom_score()
    if not request_shim(servers(), arguments, environment, listener):
        from adapters.linux.spawn import spawn

        descriptors = {0: None, 1: None, 2: None, LISTENER: listener}
        spawn([*command(), NAME, *arguments], environment, descriptors)


def _environment(bootstrap: Bootstrap) -> Mapping[str, str]:
    from adapters.linux.spawn import environment_of

    environment = environment_of("PATH", "LANG", "TTRPC_ADDRESS", "XDG_RUNTIME_DIR")
    if bootstrap.ttrpc_address:
        environment["TTRPC_ADDRESS"] = bootstrap.ttrpc_address
    # Each call has a thread, and glibc would keep memory for an allocator of each (mallopt(3)).
    return {**environment, "MALLOC_ARENA_MAX": "1"}


def _raise_oom_score() -> None:
    """Let the kernel kill the shim before containerd; the spawned process inherits the score."""
    try:
        score = int(read_all(f"/proc/{os.getppid()}/oom_score_adj"))
        write_existing("/proc/self/oom_score_adj", b"%d" % min(score + 1, 1000))
    except (OSError, ValueError):
        pass


def _write_address(address: str, socket_directory: str) -> None:
    """Write the files by which a restarted containerd and `delete` find the shim's socket."""
    try:
        bundle = open_directory(".")
        try:
            write_whole("address", address.encode(), bundle, mode=0o666)
        finally:
            os.close(bundle)
        if socket_directory and not os.path.lexists("s"):
            os.symlink(socket_directory, "s")
    except OSError as error:
        raise host_fault(f"cannot write {os.getcwd()}/address", error) from error
