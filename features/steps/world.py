"""What the steps of one scenario share."""

from __future__ import annotations

import re

import pytest

from features.benches.bench import Outcome


class World:
    """`behaviour` is the firmware's of the image at hand; `outcome` the last command's."""

    def __init__(self, bench):
        self.bench = bench
        self.processors = []
        self.faults = {}
        self.behaviour = ""
        self.bundle = None  # of the image at hand, if one was made beforehand
        self.annotations = {}
        self.outcome: Outcome | None = None
        self.seconds = 0.0
        self.shown = ""
        self.before = None

    def set_up(self, processors):
        self.processors = processors
        self.bench.board(processors, self.faults)

    def set_fault(self, processor, fault, value):
        self.faults.setdefault(processor, {})[fault] = value
        self.set_up(self.processors)

    def make_bundle(self, processor):
        if self.bundle is None:
            sample = self.bench.sample(self.behaviour or "prints and runs on")
            return self.bench.bundle(sample, processor, annotations=self.annotations)
        return self.bundle(processor)

    def create(self, container, processor):
        return self.bench.command("create", "--bundle", self.make_bundle(processor), container)

    def start(self, container):
        return self.bench.command("start", container)

    def deploy(self, container, processor):
        outcome = self.create(container, processor)
        return outcome if outcome.code else self.start(container)

    def succeed(self, outcome):
        assert outcome.code == 0, outcome.err
        return outcome


@pytest.fixture
def world(bench):
    return World(bench)


def names(text):
    """Split `a, b and c`."""
    return re.split(r", | and ", text)
