"""Shared steps of the tests of simulated processors."""

import select
import time


def run(processor, image):
    """Plan a claim, load and start; return the claim."""
    claim = processor.plan_claim("c1", image)
    processor.load(claim, image)
    processor.start()
    return claim


def follow(processor, until, seconds=20.0):
    """Wait on `watch` as a supervisor does, until `until(output, state)` is true."""
    output = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        poll = select.poll()
        for descriptor in processor.watch():
            poll.register(descriptor, select.POLLIN)
        periods = (processor.poll_seconds, processor.console.poll_seconds)
        left = max(0.0, deadline - time.monotonic())
        poll.poll(1000 * min([left, *(period for period in periods if period is not None)]))
        output += processor.console.read_output()
        state = processor.state()
        if until(output, state):
            return output, state
    raise AssertionError(f"nothing after {seconds} s; state {state}, output {output!r}")


def watch(processor, enough, seconds=20.0):
    """Look as a supervisor does until `enough(remarks, state)`; return the remarks and the time."""
    said, started = [], time.monotonic()
    while time.monotonic() < started + seconds:
        poll = select.poll()
        for descriptor in processor.watch():
            poll.register(descriptor, select.POLLIN)
        due = processor.poll_seconds
        poll.poll(1000 * min(1.0, due) if due is not None else 1000)
        processor.console.read_output()
        state = processor.state()
        said += processor.remarks()
        if enough(said, state):
            return said, time.monotonic() - started
    raise AssertionError(f"not after {seconds} s: {said}, {state}")


def ended(_, state):
    return state.ended


def alive(pid):
    """Whether a process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
