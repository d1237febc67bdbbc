"""Proves that events reach containerd in their order: though it hangs, refuses or restarts, and
though the shim has no thread to spare; and that an exit is the last event to be given up."""

from __future__ import annotations

import time

import pytest

from adapters.containerd import events
from adapters.containerd.api.events_pb2 import TaskDelete, TaskExit, TaskStart
from adapters.containerd.events import EventPublisher
from adapters.containerd.ttrpc import threads
from tests.engines.process import wait_until
from tests.unit.shim.conftest import Events

TYPES: dict[str, type[TaskStart | TaskExit | TaskDelete]] = {
    "/tasks/start": TaskStart,
    "/tasks/exit": TaskExit,
    "/tasks/delete": TaskDelete,
}


class Publishing:
    """A publisher, its warnings, and the topics and containers of what containerd has."""

    def __init__(self, containerd):
        self.containerd = containerd
        self.warnings = []
        self.publisher = EventPublisher(containerd.path, "tests", self.warn)

    def warn(self, text):
        self.warnings.append(text)

    def publish(self, *names):
        """Publish `topic` or `topic container`, such as `exit c1`."""
        for name in names:
            word, _, container = name.partition(" ")
            topic = f"/tasks/{word}"
            self.publisher.publish(topic, TYPES[topic](container_id=container))

    def arrived(self):
        found = []
        for envelope in self.containerd.taken:
            container = TYPES[envelope.topic].FromString(envelope.event.value).container_id
            found.append(f"{envelope.topic.rpartition('/')[2]} {container}".strip())
        return found

    def arrive(self, *names):
        assert wait_until(lambda: self.arrived() == list(names), 10), self.arrived()


@pytest.fixture
def publishing(containerd):
    return Publishing(containerd)


@pytest.fixture
def short(monkeypatch):
    """Seconds become milliseconds."""
    monkeypatch.setattr(events, "_ANSWER_WITHIN", 0.03)
    monkeypatch.setattr(events, "_PAUSE_MAX", 0.005)


def refuse_threads(monkeypatch, times):
    """Let the system give no thread for so many times."""
    real, left = threads.start, [times]

    def start(target):
        if left[0]:
            left[0] -= 1
            raise RuntimeError("can't start new thread")
        return real(target)

    monkeypatch.setattr(threads, "start", start)


def test_an_exit_is_sent_until_a_containerd_that_hangs_has_it(publishing, short):
    publishing.containerd.answering.clear()
    publishing.publish("exit", "delete")
    budget = events._REFUSALS_OF_EXIT_MAX
    assert wait_until(lambda: publishing.containerd.received > budget, 30)
    publishing.containerd.answering.set()
    # On a busy machine an answer comes after its 30 ms: then the event is sent once more.
    assert wait_until(lambda: list(dict.fromkeys(publishing.arrived())) == ["exit", "delete"], 10)


def test_while_containerd_hangs_it_gets_an_event_once(publishing):
    publishing.containerd.answering.clear()
    publishing.publish("start", "exit")
    assert wait_until(lambda: publishing.containerd.received, 10)
    time.sleep(0.5)
    assert publishing.containerd.received == 1
    publishing.containerd.answering.set()
    publishing.arrive("start", "exit")
    assert publishing.containerd.received == 2


def test_an_exit_outlasts_refusals_that_end_other_events(publishing, short):
    publishing.containerd.refuse = 2 * events._REFUSALS_MAX
    publishing.publish("start", "exit", "delete")
    publishing.arrive("exit", "delete")


def test_an_exit_that_containerd_goes_on_refusing_holds_up_no_other_for_ever(publishing, short):
    publishing.containerd.refuse = events._REFUSALS_OF_EXIT_MAX
    publishing.publish("exit a", "exit b")
    publishing.arrive("exit b")
    assert "refused" in publishing.warnings[-1]


def test_when_too_many_wait_exits_are_dropped_last(publishing, monkeypatch):
    monkeypatch.setattr(events, "_QUEUE_MAX", 5)
    publishing.containerd.answering.clear()
    publishing.publish("start a", "exit a", "start b", "exit b", "start c")
    publishing.publish("exit c", "exit d")
    assert [w.partition(":")[0] for w in publishing.warnings] == ["event /tasks/start dropped"] * 2
    publishing.publish("exit e")
    publishing.containerd.answering.set()
    publishing.arrive("start a", "exit b", "exit c", "exit d", "exit e")


@pytest.mark.parametrize("times", [1, 3])
def test_an_exit_is_sent_though_at_first_no_thread_can_be_started(
    publishing, short, monkeypatch, times
):
    refuse_threads(monkeypatch, times)
    publishing.publish("exit")
    publishing.arrive("exit")


def test_events_are_sent_though_the_log_fails(containerd, short, monkeypatch):
    monkeypatch.setattr(threads, "_AFTER_AN_ERROR", 0.01)
    monkeypatch.setattr(Publishing, "warn", lambda *_: 1 / 0)
    publishing = Publishing(containerd)
    containerd.refuse = 1
    publishing.publish("start", "exit")
    publishing.arrive("start", "exit")


def test_a_containerd_that_has_gone_for_good_holds_up_the_end_no_longer_than_allowed(tmp_path):
    publisher = EventPublisher(f"{tmp_path}/none", "tests", lambda _: None)
    publisher.publish("/tasks/exit", TaskExit())
    begun = time.monotonic()
    publisher.drain(0.2)
    assert 0.2 <= time.monotonic() - begun < 2
    # The publisher's thread would go on trying, and open sockets while other tests run.
    containerd = Events(f"{tmp_path}/none")
    assert wait_until(lambda: len(containerd.taken) == 1, 10)
    containerd.stop()
