"""Keeps and prints the figures of the benchmarks: times, and figures with a budget."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence

_CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Where the programs that are measured are, and their python3.
PROGRAMS = os.environ.get("PROGRAMS") or f"{_CHECKOUT}/.venv/bin"

HEAD = ("min", "median", "p90", "CPU")


class Times:
    """Wall-clock and CPU milliseconds of steps, by the runtime and the step's name."""

    def __init__(self, cpu: Callable[[], float]) -> None:
        """`cpu` returns the CPU seconds that all processes concerned have used so far."""
        self._cpu = cpu
        self._taken: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def take(self, who: str, step: str, work: Callable[[], object]) -> None:
        """Do the work and record how long it took."""
        cpu, began = self._cpu(), time.perf_counter()
        work()
        wall = time.perf_counter() - began
        self._taken.setdefault((who, step), []).append((wall * 1000, (self._cpu() - cpu) * 1000))

    def has(self, who: str, step: str) -> bool:
        """Return whether the step was recorded."""
        return (who, step) in self._taken

    def median(self, who: str, step: str) -> float:
        """Return the median wall-clock milliseconds."""
        return statistics.median(wall for wall, _ in self._taken[who, step])

    def median_cpu(self, who: str, step: str) -> float:
        """Return the median CPU milliseconds."""
        return statistics.median(cpu for _, cpu in self._taken[who, step])

    def ratio(self, step: str, one: str, other: str) -> float:
        """Return how many times longer `one` takes than `other`, by their medians."""
        return self.median(one, step) / self.median(other, step)

    def report(self, one: str, other: str) -> None:
        """Print a line for each step of both."""
        print(f"{'ms':24}{one:>8}{'':24}{other:>8}{'':24}{'ratio':>8}")
        print(f"{'':24}{''.join(f'{word:>8}' for word in HEAD * 2)}")
        for step in dict.fromkeys(step for _, step in self._taken):
            rows = [self._row(who, step) if self.has(who, step) else () for who in (one, other)]
            numbers = "".join(f"{cell:8.1f}" for row in rows for cell in row)
            ratio = f"{self.ratio(step, one, other):8.2f}" if all(rows) else ""
            print(f"{step:24}{numbers}{ratio}")

    def _row(self, who: str, step: str) -> Sequence[float]:
        walls = sorted(wall for wall, _ in self._taken[who, step])
        p90 = walls[int(len(walls) * 0.9)]
        return (walls[0], self.median(who, step), p90, self.median_cpu(who, step))


class Budgets:
    """The figures that have a budget, and whether each is kept."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, float, float, bool]] = []

    def most(self, figure: str, value: float, budget: float) -> None:
        """Add a figure that must not be greater than its budget."""
        self._rows.append((figure, value, budget, value <= budget))

    def least(self, figure: str, value: float, budget: float) -> None:
        """Add a figure that must not be smaller than its budget."""
        self._rows.append((figure, value, budget, value >= budget))

    def report(self) -> None:
        """Print the table; a figure that misses its budget says so."""
        print(f"\n{'budget of':44}{'measured':>10}{'budget':>10}")
        for figure, value, budget, kept in self._rows:
            print(f"{figure:44}{value:10.2f}{budget:10.2f}  {'' if kept else 'MISSED'}".rstrip())
        missed = sum(not kept for *_, kept in self._rows)
        print(f"{len(self._rows)} budgets, {missed} missed")
