"""A socket that this process serves in a directory of the kubelet's, and has again when it is gone.

The kubelet empties the directory when its server starts, which may be half a minute after its
process; it may be absent, or be replaced with its directory.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc

from domain.errors import reason
from domain.ports import Warn
from domain.say_once import SayOnce

_AGAIN = 0.1  # seconds between two looks at the socket: two calls of lstat
_THREADS = 16  # calls at the same time; more wait

Identity = tuple[int, int, int]


class KeptSocket:
    """Serves gRPC at `path`, in a thread, until the end of the process; `title` is for the log."""

    def __init__(
        self, path: str, title: str, handlers: Sequence[grpc.GenericRpcHandler], say: Warn
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._say = say
        self._trouble = SayOnce(lambda words: say(f"{title}: {words}"))
        self._threads = ThreadPoolExecutor(_THREADS)
        self._server: grpc.Server | None = None
        self._bound: Identity | None = None
        self._end = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def open(self) -> None:
        """Begin to serve; return at once."""
        self._keeper.start()

    def close(self) -> None:
        """Stop serving, and remove the socket."""
        self._end.set()
        self._keeper.join()
        self._stop()
        if self._bound is not None and identity(self._path) == self._bound:
            os.unlink(self._path)

    def ended(self) -> bool:
        """Return whether `close` was called."""
        return self._end.is_set()

    def _keep(self) -> None:
        while not self._end.is_set():
            try:
                if self._bound is None or identity(self._path) != self._bound:
                    self._bind()
                self._serving(self._bound)
            except OSError as error:
                self._trouble(f"{self._path}: {reason(error)}: trying again")
            except RuntimeError as error:  # how gRPC tells that it cannot bind
                self._trouble(f"{self._path}: {error}: trying again")
            self._end.wait(_AGAIN)

    def _serving(self, socket: Identity | None) -> None:
        """Do what else is to be done while the socket is there. Raises OSError."""

    def _bind(self) -> None:
        self._stop()
        self._bound = None
        if not os.path.isdir(os.path.dirname(self._path)):
            raise FileNotFoundError(2, "")
        if identity(self._path) is not None:
            os.unlink(self._path)  # of a process that was killed
        server = grpc.server(self._threads, handlers=tuple(self._handlers))
        server.add_insecure_port(f"unix:{self._path}")
        os.chmod(self._path, 0o600)
        server.start()
        self._server = server
        self._bound = identity(self._path)

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop(0).wait()
            self._server = None


def identity(path: str) -> Identity | None:
    """Return what tells a socket from a later one at the same path; None without one."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns


def method(call: object, request: type) -> grpc.RpcMethodHandler:
    """Return the handler of a method that takes one message and answers with one."""
    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=request.FromString,  # type: ignore[attr-defined]
        response_serializer=lambda answer: answer.SerializeToString(),
    )
