"""Tells containerd what happens to tasks, in order, until it has taken it.

containerd may be away for a restart or an upgrade: events wait for it. Source of topics and
retries: containerd core/runtime/events.go, pkg/shim/publisher.go.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from adapters.containerd.api import anys
from adapters.containerd.api.forward_pb2 import ForwardRequest
from adapters.containerd.api.types_pb2 import Envelope
from adapters.containerd.times import timestamp
from adapters.containerd.ttrpc import threads
from adapters.containerd.ttrpc.client import Client
from adapters.containerd.ttrpc.errors import Closed, RpcError

_SERVICE = "containerd.services.events.ttrpc.v1.Events"
_QUEUE_MAX = 2048
_CALL_WITHIN = 5.0  # seconds
_REFUSALS_MAX = 5
_PAUSE_MAX = 5.0


class EventPublisher:
    """A queue and the thread that empties it. Without an address nothing is told to anyone."""

    def __init__(self, address: str, namespace: str, warn: Callable[[str], None]) -> None:
        self._address = address
        self._namespace = namespace
        self._warn = warn
        self._queue: deque[Envelope] = deque()
        self._changed = threading.Condition()
        self._client: Client | None = None
        self._closing = False
        if address:
            threads.start(self._run, "events")

    def publish(self, topic: str, event: Message) -> None:
        """Queue an event; returns at once."""
        if not self._address:
            return
        envelope = Envelope(
            timestamp=timestamp(time.time()),
            namespace=self._namespace,
            topic=topic,
            event=anys.pack(event),
        )
        with self._changed:
            if len(self._queue) >= _QUEUE_MAX:
                self._warn(f"event {self._queue.popleft().topic} dropped: containerd is away")
            self._queue.append(envelope)
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Give what waits that long, without pauses between tries, then give up."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._queue, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                envelope = self._queue[0]
            self._deliver(envelope)
            with self._changed:
                if self._queue and self._queue[0] is envelope:
                    self._queue.popleft()
                self._changed.notify_all()

    def _deliver(self, envelope: Envelope) -> None:
        tries = refusals = 0
        while refusals < _REFUSALS_MAX:
            try:
                self._forward(envelope)
            except RpcError as error:
                refusals += 1
                problem = error.message
            except (OSError, Closed) as error:
                problem = str(error)
            else:
                return
            tries += 1
            self._warn(f"event {envelope.topic} not taken: {problem}")
            # At first at once: a connection that has ended only shows when it is used.
            self._pause(min(tries - 1, _PAUSE_MAX))
        self._warn(f"event {envelope.topic} dropped: containerd refuses it")

    def _forward(self, envelope: Envelope) -> None:
        if self._client is None or self._client.closed:
            self._client = Client.connect(self._address, _CALL_WITHIN)
        try:
            self._client.call(
                _SERVICE,
                "Forward",
                ForwardRequest(envelope=envelope),
                Empty,
                timeout=_CALL_WITHIN,
                metadata={"containerd-namespace-ttrpc": [self._namespace]},
            )
        except (OSError, Closed):
            self._client.close()
            self._client = None
            raise

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, min(seconds, _PAUSE_MAX))
            if self._closing:
                self._changed.wait(0.05)
