"""Which handler serves which method, and what becomes of its answer; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError, Message

from .context import CallContext
from .errors import Code, RpcError

Handler = Callable[[CallContext, Any], Message | None]
ErrorMap = Callable[[Exception], RpcError | None]


class Method(NamedTuple):
    """A request's type, and who answers it; an answer of None is an Empty."""

    request_type: type[Message]
    handler: Handler


class Services:
    """The registered services.

    `map_error` gives the application's own exceptions a status; where it gives None, and by
    default, they become Unknown with one line of text.
    """

    def __init__(self, map_error: ErrorMap | None = None) -> None:
        self._services: dict[str, Mapping[str, Method]] = {}
        self._map_error = map_error

    def register(self, service: str, methods: Mapping[str, tuple[type[Message], Handler]]) -> None:
        """Add a service by its full name. Raises ValueError if the name is taken."""
        if service in self._services:
            raise ValueError(f"service {service} is registered already")
        self._services[service] = {name: Method(*pair) for name, pair in methods.items()}

    def find(self, service: str, method: str) -> Method:
        """The method of that name. Raises RpcError (unimplemented), worded as in services.go."""
        methods = self._services.get(service)
        if methods is None:
            raise RpcError(Code.UNIMPLEMENTED, f"service {service}")
        if method not in methods:
            raise RpcError(Code.UNIMPLEMENTED, f"method {method}")
        return methods[method]

    def run(self, method: Method, context: CallContext, payload: bytes) -> bytes:
        """Carry out a call, give the answer's bytes. Raises RpcError, nothing else."""
        try:
            request = method.request_type.FromString(payload)
        except DecodeError as error:
            text = f"unmarshal {method.request_type.DESCRIPTOR.full_name} error: {error}"
            raise RpcError(Code.INVALID_ARGUMENT, text) from error
        try:
            answer = method.handler(context, request)
            return b"" if answer is None else answer.SerializeToString()
        except RpcError:
            raise
        except BaseException as error:
            # Even of a handler that calls sys.exit the caller must hear.
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
