"""Which handler serves which method, and how its result becomes a response; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from google.protobuf.message import Message

from .context import CallContext
from .errors import Code, RpcError
from .messages import UNREADABLE

Handler = Callable[[CallContext, Any], Message | None]
ErrorMap = Callable[[Exception], RpcError | None]


class Method(NamedTuple):
    """A request's type, and its handler; a handler that returns None responds with an Empty."""

    request_type: type[Message]
    handler: Handler


class Services:
    """The registered services.

    `map_error` turns the application's own exceptions into a status; where it returns None, and
    by default, the status is UNKNOWN with one line of text.
    """

    def __init__(self, map_error: ErrorMap | None = None) -> None:
        self._services: dict[str, Mapping[str, Method]] = {}
        self._map_error = map_error

    def register(self, service: str, methods: Mapping[str, tuple[type[Message], Handler]]) -> None:
        """Add a service under its full name. Raises ValueError if the name is taken."""
        if service in self._services:
            raise ValueError(f"service {service} is registered already")
        self._services[service] = {name: Method(*pair) for name, pair in methods.items()}

    def find(self, service: str, method: str) -> Method:
        """Return a method. Raises RpcError (UNIMPLEMENTED), worded as in ttrpc services.go."""
        methods = self._services.get(service)
        if methods is None:
            raise RpcError(Code.UNIMPLEMENTED, f"service {service}")
        if method not in methods:
            raise RpcError(Code.UNIMPLEMENTED, f"method {method}")
        return methods[method]

    def run(self, method: Method, context: CallContext, payload: bytes) -> bytes:
        """Carry out a call and return the response's bytes. Raises RpcError, nothing else."""
        try:
            request = method.request_type.FromString(payload)
        except UNREADABLE as error:
            text = f"unmarshal {method.request_type.DESCRIPTOR.full_name} error: {error}"
            raise RpcError(Code.INVALID_ARGUMENT, text) from error
        try:
            answer = method.handler(context, request)
            return b"" if answer is None else answer.SerializeToString()
        except RpcError:
            raise
        except BaseException as error:
            # The client needs a response even if the handler calls sys.exit.
            raise self._status_of(error) from error

    def _status_of(self, error: BaseException) -> RpcError:
        if self._map_error is not None and isinstance(error, Exception):
            try:
                status = self._map_error(error)
            except Exception as second:
                error, status = second, None
            if status is not None:
                return status
        text = " ".join(str(error).split())
        name = type(error).__name__
        return RpcError(Code.UNKNOWN, f"{name}: {text}" if text else name)
