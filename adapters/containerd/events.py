"""Sends the events of tasks to containerd, in their order, each until containerd has taken it.

containerd may be away for a restart or an upgrade, or may hang: the events wait. Source of topics
and retries: containerd core/runtime/events.go, pkg/shim/publisher.go.
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
from adapters.containerd.ttrpc.errors import Code, RpcError

EXIT = "/tasks/exit"  # the topic of the event that a task or a command inside it has ended

_SERVICE = "containerd.services.events.ttrpc.v1.Events"
_QUEUE_MAX = 2048
_CONNECT_WITHIN = 5.0  # seconds
# While containerd hangs, the event stays with it: an event that is sent again arrives twice. Only
# after this long does a new connection promise more than the old one.
_ANSWER_WITHIN = 120.0  # seconds
_PAUSE_MAX = 5.0  # seconds between two tries
_REFUSALS_MAX = 5
# containerd keeps showing a task as running whose exit it does not get: with the pauses, this
# many refusals take some five minutes.
_REFUSALS_OF_EXIT_MAX = 60
# These codes say that a call was cut off, at either end, not that containerd refuses the event.
_CUT_OFF = (Code.DEADLINE_EXCEEDED, Code.CANCELED, Code.UNAVAILABLE)


class EventPublisher:
    """A queue, and the thread that sends what is in it. Without an address nothing is sent."""

    def __init__(self, address: str, namespace: str, warn: Callable[[str], None]) -> None:
        self._address = address
        self._namespace = namespace
        self._warn = warn
        self._queue: deque[Envelope] = deque()
        self._changed = threading.Condition()
        self._client: Client | None = None
        self._closing = False
        if address:
            threads.start(lambda: threads.repeat(self._send_first, self._report))

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
                self._drop_one()
            self._queue.append(envelope)
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Wait that long for the queue to become empty; from now on no try waits for another."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._queue, seconds)

    def _drop_one(self) -> None:
        """Drop the oldest event that is not an exit, or the oldest exit if all are exits.

        The first of the queue stays: the thread is sending that event.
        """
        waiting = range(1, len(self._queue))
        place = next((i for i in waiting if self._queue[i].topic != EXIT), 1)
        self._warn(f"event {self._queue[place].topic} dropped: containerd takes no events")
        del self._queue[place]

    def _send_first(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue)
            envelope = self._queue[0]
        self._send(envelope)
        with self._changed:
            self._queue.popleft()
            self._changed.notify_all()

    def _send(self, envelope: Envelope) -> None:
        """Send an event until containerd takes it, or has refused it often enough."""
        allowed = _REFUSALS_OF_EXIT_MAX if envelope.topic == EXIT else _REFUSALS_MAX
        tries = refusals = 0
        while refusals < allowed:
            try:
                self._forward(envelope)
                return
            except Exception as error:  # also where there is no thread, descriptor or memory
                refusals += _is_refusal(error)
                self._warn(f"event {envelope.topic} not taken: {type(error).__name__}: {error}")
            # The first retry is at once: a connection that has ended only shows when it is used.
            self._pause(min(tries, _PAUSE_MAX))
            tries += 1
        self._warn(f"event {envelope.topic} dropped: containerd refused it {refusals} times")

    def _forward(self, envelope: Envelope) -> None:
        if self._client is None or self._client.closed:
            self._client = Client.connect(self._address, _CONNECT_WITHIN)
        try:
            self._client.call(
                _SERVICE,
                "Forward",
                ForwardRequest(envelope=envelope),
                Empty,
                timeout=_ANSWER_WITHIN,
                metadata={"containerd-namespace-ttrpc": [self._namespace]},
            )
        except Exception as error:
            if not _is_refusal(error):
                client, self._client = self._client, None
                client.close()
            raise

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)
            if self._closing:
                self._changed.wait(0.05)

    def _report(self, error: Exception) -> None:
        self._warn(f"sending events failed and goes on: {type(error).__name__}: {error}")


def _is_refusal(error: Exception) -> bool:
    """Return whether containerd itself answered that it does not take the event."""
    return isinstance(error, RpcError) and error.code not in _CUT_OFF
