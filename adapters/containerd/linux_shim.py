"""Starts containerd's shim for runc as this shim's helper, and speaks to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from google.protobuf.message import Message

from adapters.containerd.api import task_pb2 as api
from adapters.containerd.delete import LINUX_MARK
from adapters.containerd.sockets import remove_dead
from adapters.containerd.ttrpc import threads
from adapters.containerd.ttrpc.client import Client
from adapters.containerd.ttrpc.errors import Closed, Code, RpcError
from adapters.linux.files import open_directory, write_whole
from adapters.linux.unix_sockets import is_served
from domain.errors import HostFault, NotFound, host_fault
from domain.ports import Warn

PROGRAM = "containerd-shim-runc-v2"

_STARTS_WITHIN = 10.0  # seconds
_CONNECTS_WITHIN = 5.0
_ENDS_WITHIN = 1.0
_SANDBOX = "io.kubernetes.cri.sandbox-id"

M = TypeVar("M", bound=Message)


class ShimPlace(NamedTuple):
    """Where a shim for runc is served, and by which version of the task service."""

    address: str
    service: str


class LinuxShim:
    """The connection to one shim for runc."""

    def __init__(self, place: ShimPlace, client: Client) -> None:
        self.place = place
        self._client = client

    def call(
        self, method: str, request: Message, answer: type[M], timeout: float | None = None
    ) -> M:
        """Call a method of the task service. Raises RpcError."""
        try:
            return self._client.call(self.place.service, method, request, answer, timeout=timeout)
        except Closed as error:
            raise RpcError(Code.UNAVAILABLE, f"{PROGRAM} has ended: {error}") from error

    def mark(self, bundle: str) -> None:
        """Write into a container's bundle where the shim is. Raises OSError, HostFault."""
        directory = open_directory(bundle)
        try:
            write_whole(LINUX_MARK, json.dumps(self.place._asdict()).encode(), directory)
        finally:
            os.close(directory)

    def end(self, container_id: str) -> None:
        """Ask it to end, which it does if it has no container; then close the connection."""
        from google.protobuf.empty_pb2 import Empty

        with contextlib.suppress(RpcError):
            self.call("Shutdown", api.ShutdownRequest(id=container_id), Empty, _ENDS_WITHIN)
        path = self.place.address.removeprefix("unix://")
        deadline = time.monotonic() + _ENDS_WITHIN
        while os.path.lexists(path) and time.monotonic() < deadline:
            time.sleep(0.01)
            # Since containerd 2.0 it leaves its socket to containerd. It serves that until its very
            # end, some time after it has closed this connection.
            if self._client.closed and not is_served(path):
                remove_dead(path)
        self.close()

    def close(self) -> None:
        """Close the connection; the shim goes on."""
        self._client.close()


def check_runc(program: str) -> None:
    """Raise NotFound if there is no such program, or no runc if it is ``.

    The shim for runc would say no more than that a file of runc's is missing.
    """
    runc = program or "runc"
    if not shutil.which(runc):
        raise NotFound(
            f"cannot run a Linux container beside firmware: there is no {runc} in PATH",
            hint="install it where containerd is",
        )


def start_shim(
    namespace: str,
    grpc_address: str,
    container_id: str,
    bundle: str,
    annotations: Mapping[str, str],
    warn: Warn,
    on_close: Callable[[], None],
) -> LinuxShim:
    """Start the shim for the pod of a container, or for the container; raises HostFault.

    `annotations` are those of the container's config.json in `bundle`. The shim works in a
    directory of the sandbox's bundle, which stays as long as the pod does.
    """
    owner = f"{os.path.dirname(bundle)}/{annotations.get(_SANDBOX, container_id)}"
    directory = f"{owner if os.path.isdir(owner) else bundle}/linux"
    try:
        _prepare(directory, f"{bundle}/config.json", warn)
        named = (namespace, grpc_address, container_id)
        done = run_program(*named, directory, "start", within=_STARTS_WITHIN)
    except FileNotFoundError as error:
        raise NotFound(
            f"cannot run a Linux container beside firmware: there is no {PROGRAM} in PATH",
            hint="install it where containerd is, and runc, too",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise HostFault(f"{PROGRAM} does not start within {_STARTS_WITHIN:g} s") from error
    except OSError as error:
        raise host_fault(f"cannot start {PROGRAM} in {directory}", error) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise HostFault(f"{PROGRAM} does not start: {said or done.returncode}")
    return connect(_place(done.stdout.decode().strip()), on_close)


def run_program(
    namespace: str,
    grpc_address: str,
    container_id: str,
    directory: str,
    *words: str,
    within: float | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run an action of the shim for runc. Raises OSError; TimeoutExpired after `within` seconds."""
    named = ("-namespace", namespace, "-address", grpc_address, "-id", container_id)
    return subprocess.run(
        (PROGRAM, *named, *words),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=within,
        check=False,
    )


def connect(place: ShimPlace, on_close: Callable[[], None] | None = None) -> LinuxShim:
    """Connect to a shim that serves. Raises HostFault."""
    try:
        return LinuxShim(place, Client.connect(place.address, _CONNECTS_WITHIN, on_close))
    except OSError as error:
        raise host_fault(f"cannot connect to {PROGRAM} at {place.address}", error) from error


def _place(answer: str) -> ShimPlace:
    """Read what `start` prints: since containerd 2.0 JSON, before that the address alone."""
    if not answer.startswith("{"):
        return ShimPlace(answer, "containerd.task.v2.Task")
    found = json.loads(answer)
    return ShimPlace(found["address"], f"containerd.task.v{min(found['version'], 3)}.Task")


def _prepare(directory: str, config: str, warn: Warn) -> None:
    """Make what a bundle has: config.json, by which the shim groups, and the FIFO of its log."""
    os.makedirs(directory, 0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{directory}/config.json")
    os.symlink(config, f"{directory}/config.json")
    with contextlib.suppress(FileExistsError):
        os.mkfifo(f"{directory}/log", 0o600)
        reader = os.open(f"{directory}/log", os.O_RDWR | os.O_CLOEXEC)
        threads.start(lambda: _copy_log(reader, warn))


def _copy_log(reader: int, warn: Warn) -> None:
    """Copy the other shim's log into this one's, as long as this process lives."""
    with open(reader, encoding="utf-8", errors="replace") as file:
        for line in file:
            if "level=info" not in line and "level=debug" not in line:
                warn(f"{PROGRAM}: {line.rstrip()}")
