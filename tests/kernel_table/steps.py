"""The parts of the table: rows of steps with the answers that Linux 6.1 gives to a program.

A step is an operation and its answer: the number of bytes written, the text read, or the name of
an errno. If the simulator answers otherwise, the step has that answer too, and the reason.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Step(NamedTuple):
    """`do` is an operation of `operations.Processor`, with its arguments."""

    do: tuple[Any, ...]
    answer: Any
    simulated: Any = None  # the answer of the simulator, if that differs
    reason: str = ""

    def expected_of(self, side: str) -> Any:
        """Return the expected answer of `sim` or of `kernel`."""
        return self.simulated if side == "sim" and self.reason else self.answer

    def but_simulated(self, answer: Any, reason: str) -> Step:
        return self._replace(simulated=answer, reason=reason)


class Row(NamedTuple):
    name: str
    steps: tuple[Step, ...]
    processor: str = "offline"  # the first state of the processor that the row needs


def W(name: str, text: str, answer: Any = None) -> Step:
    """Write an attribute; by default the answer is that all was written."""
    return Step(("write", name, text), len(text) if answer is None else answer)


def R(name: str, answer: str) -> Step:
    """Read an attribute."""
    return Step(("read", name), answer)


def F(kind: str, value: object) -> Step:
    """Inject a fault."""
    return Step(("fault", kind, value), "ok")


CORE = "the simulated core could not execute it, so the simulator refuses it"
START, STOP = W("state", "start"), W("state", "stop")
OFFLINE, RUNNING, CRASHED = (R("state", f"{s}\n") for s in ("offline", "running", "crashed"))
NO_RECOVERY = W("recovery", "disabled")
CRASH = W("debug:crash", "1")
UNTIL_CRASHED = Step(("until", "state", "crashed\n"), "ok")
CRASHED_FIRST = (NO_RECOVERY, START, CRASH, UNTIL_CRASHED)


def row(name: str, *steps: Step, processor: str = "offline") -> Row:
    return Row(name, steps, processor)
