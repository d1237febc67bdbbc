"""The action `start`: answer with the group's address, leaving a process that serves it.

The socket is bound here and handed on, so that containerd can connect before that process has
loaded what it needs. This module's imports are what the user waits for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from adapters.containerd import sockets
from adapters.containerd.bootstrap_reply import STDIN_MAX, Bootstrap, read_bootstrap, reply
from adapters.containerd.flags import ShimFlags
from domain.errors import InvalidRequest, NotFound, host_fault

LISTENER = 3  # the descriptor that the serving process finds its socket at
NAME = "containerd-shim-remoteproc-v1"

# Source: containerd cmd/containerd-shim-runc-v2/manager/manager_linux.go.
_GROUPS = ("io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id")
_CONFIG_MAX = 8 << 20  # bytes


def start(call: ShimFlags, command: Sequence[str]) -> bytes:
    """Return the reply. `command` runs the serving process; its flags are appended."""
    bootstrap = read_bootstrap(_stdin(), call.id, call.namespace)
    known = bootstrap or Bootstrap()
    grpc = known.grpc_address or call.address
    path = sockets.path_for(known.socket_directory, grpc, call.namespace, group(call.id))
    address = f"unix://{path}"
    listener = sockets.listen(path)
    if listener is not None:
        try:
            _serve(call, command, listener.fileno(), path, known)
        except BaseException:
            os.unlink(path)
            raise
    _leave_in_bundle(address, known.socket_directory)
    return reply(address, bootstrap, os.environ)


def _stdin() -> bytes:
    parts = []
    left = STDIN_MAX
    try:
        while left > 0 and (part := os.read(0, min(left, 1 << 16))):
            parts.append(part)
            left -= len(part)
    except OSError:
        pass  # there is none
    return b"".join(parts)


def group(container: str) -> str:
    """Return which containers share a shim with the bundle in the current directory."""
    try:
        with open("config.json", "rb") as file:
            annotations = json.loads(file.read(_CONFIG_MAX)).get("annotations") or {}
            found = [annotations[key] for key in _GROUPS if annotations.get(key)]
    except FileNotFoundError:
        raise NotFound(f"{os.getcwd()}/config.json does not exist") from None
    except OSError as error:
        raise host_fault("cannot read config.json", error) from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise InvalidRequest(f"{os.getcwd()}/config.json is not a bundle's: {error}") from error
    return str(found[0]) if found else container


def _serve(
    call: ShimFlags, command: Sequence[str], listener: int, path: str, known: Bootstrap
) -> None:
    flags = ["-namespace", call.namespace, "-id", call.id, "-address", call.address]
    flags += ["-socket", path, *(["-debug"] if call.debug else [])]
    _raise_oom_score()
    os.posix_spawn(
        command[0],
        [*command, NAME, *flags, "start"],
        _environment(known),
        file_actions=[
            # What is given first must not be what is overwritten next.
            (os.POSIX_SPAWN_DUP2, listener, LISTENER),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
        setsid=True,
        setsigmask=[],
    )


def _environment(known: Bootstrap) -> Mapping[str, str]:
    kept = ("PATH", "LANG", "TTRPC_ADDRESS", "XDG_RUNTIME_DIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    if known.ttrpc_address:
        environment["TTRPC_ADDRESS"] = known.ttrpc_address
    # A thread a call, each with an allocator of its own, would keep much for nothing.
    return {**environment, "MALLOC_ARENA_MAX": "1"}


def _raise_oom_score() -> None:
    """Be killed before containerd when memory is short; the serving process inherits it."""
    try:
        with open(f"/proc/{os.getppid()}/oom_score_adj", encoding="ascii") as file:
            score = int(file.read())
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(min(score + 1, 1000)))
    except (OSError, ValueError):
        pass


def _leave_in_bundle(address: str, socket_directory: str) -> None:
    """Write what containerd needs to find the shim after a restart, and `delete` to clean up."""
    try:
        with open("address~", "w", encoding="utf-8") as file:
            file.write(address)
        os.rename("address~", "address")
        if socket_directory and not os.path.lexists("s"):
            os.symlink(socket_directory, "s")
    except OSError as error:
        raise host_fault(f"cannot write {os.getcwd()}/address", error) from error
