"""What Linux 6.1 answers to whoever uses a remote processor: rows of steps with their answers.

A step is what is done, and the answer: the number of bytes taken, the text read, an errno's
name. Where the simulator's answer is another one, that and the reason follow.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Step(NamedTuple):
    """`do` is an operation of run.py, with its arguments."""

    do: tuple[Any, ...]
    answer: Any
    simulated: Any = None  # its answer, where that differs
    reason: str = ""

    def expected_of(self, side: str) -> Any:
        """The answer of `sim` or of `kernel`."""
        return self.simulated if side == "sim" and self.reason else self.answer

    def but_simulated(self, answer: Any, reason: str) -> Step:
        return self._replace(simulated=answer, reason=reason)


class Row(NamedTuple):
    name: str
    steps: tuple[Step, ...]
    processor: str = "offline"  # the state in which one begins that the row needs


def W(name: str, text: str, answer: Any = None) -> Step:
    """Write an attribute; by default all of it is taken."""
    return Step(("write", name, text), len(text) if answer is None else answer)


def R(name: str, answer: str) -> Step:
    """Read an attribute."""
    return Step(("read", name), answer)


def F(kind: str, value: object) -> Step:
    """Have a fault."""
    return Step(("fault", kind, value), "ok")


CORE = "the simulated core could not execute it, and refuses to pretend"
START, STOP = W("state", "start"), W("state", "stop")
OFFLINE, RUNNING, CRASHED = (R("state", f"{s}\n") for s in ("offline", "running", "crashed"))
NO_RECOVERY = W("recovery", "disabled")
CRASH = W("debug:crash", "1")
UNTIL_CRASHED = Step(("until", "state", "crashed\n"), "ok")
CRASHED_FIRST = (NO_RECOVERY, START, CRASH, UNTIL_CRASHED)


def row(name: str, *steps: Step, processor: str = "offline") -> Row:
    return Row(name, steps, processor)
