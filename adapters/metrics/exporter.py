"""The service `remoteproc-runtime metrics`, for Prometheus or as a file for node_exporter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from socket import gaierror

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile

from adapters.linux.termination import end_event
from adapters.metrics.collector import ProcessorCollector
from adapters.metrics.refusal_socket import RefusalSocket
from adapters.metrics.run_watch import RunWatch
from domain.errors import InvalidRequest, RemoteprocError, host_fault
from domain.ports import Warn
from domain.processor_rows import ProcessorRow

_LOOK = 0.05  # seconds between two looks at the owners
_BOARD = 1.0  # seconds between two looks for new processors
_WRITE = 15.0  # seconds between two writes of the file; Prometheus asks about as often


class Exporter:
    """Serves until SIGTERM or SIGINT."""

    def __init__(
        self,
        rows: Callable[[], Sequence[ProcessorRow]],
        collector: ProcessorCollector,
        watch: RunWatch,
        refusals: RefusalSocket,
        say: Warn,
    ) -> None:
        self._rows = rows
        self._watch = watch
        self._refusals = refusals
        self._say = say
        self._registry = CollectorRegistry()
        self._registry.register(collector)
        self._devices: list[str] = []
        self._board_at = 0.0

    def serve(self, address: str) -> None:
        """Answer HTTP at HOST:PORT. Raises InvalidRequest, HostFault."""
        host, _, port = address.rpartition(":")
        if not port.isdecimal() or len(port) > 5 or int(port) > 0xFFFF:
            raise InvalidRequest(
                f"--listen {address!r} is no address", hint="write HOST:PORT, or 127.0.0.1:9817"
            )
        self._look()  # what runs before anybody can ask is no start
        try:
            start_http_server(int(port), host.strip("[]"), self._registry)
        except gaierror as error:
            raise InvalidRequest(f"cannot listen at {address}: {error.strerror}") from error
        except OSError as error:
            raise host_fault(f"cannot listen at {address}", error) from error
        self._say(f"metrics are at http://{address}/metrics")
        self._run(lambda: None)

    def write(self, path: str) -> None:
        """Write the metrics to a file again and again, whole each time. Raises HostFault."""

        def write() -> None:
            try:
                write_to_textfile(path, self._registry)
            except OSError as error:
                raise host_fault(f"cannot write {path}", error) from error

        self._run(write)

    def _run(self, write: Callable[[], None]) -> None:
        end = end_event()
        write_at = 0.0
        self._refusals.open()
        try:
            while not end.is_set():
                self._look()
                now = time.monotonic()
                if now >= write_at:
                    write_at = now + _WRITE
                    write()
                end.wait(_LOOK)
        finally:
            self._refusals.close()

    def _look(self) -> None:
        """Look at the owners, and now and then for new processors."""
        now = time.monotonic()
        if now >= self._board_at:
            self._board_at = now + _BOARD
            try:
                self._devices = [row.info.device for row in self._rows()]
            except RemoteprocError:
                pass  # `remoteproc_up` tells it
        self._watch.look(self._devices)
        self._refusals.look()
