"""Moments at which a test kills a process: random, but spread over the whole time."""

from __future__ import annotations

from random import Random


def moments(longest: float, count: int, chance: Random) -> list[float]:
    """Return `count` random times up to the longest, spread evenly, in random order."""
    part = longest / count
    times = [(number + chance.random()) * part for number in range(count)]
    chance.shuffle(times)
    return times
