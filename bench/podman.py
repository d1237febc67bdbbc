"""Times a container's life under one Podman: firmware by us, a program by crun, in turns.

What a simulated processor's own boot takes is part of `run`, and shown apart.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from tests.engines.images import Image, firmware_image, probe_image, write_oci  # noqa: E402
from tests.engines.podman import Podman  # noqa: E402
from tests.engines.releases import PODMAN, fetch  # noqa: E402

BIN = f"{HERE}/.venv/bin"
FIRMWARE = f"{HERE}/firmware/build/cortex-m3/hello.elf"
CONFIG = {"remoteproc-runtime/config.yaml": "backend: sim\nboard: quad\n"}
STEPS = ("run -d", "stop", "rm", "run -d to rm")


def timed(work: Callable[[], object]) -> float:
    """Return how long it took, in milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def load(podman: Podman, image: Image) -> str:
    """Load an image; return its name."""
    path = f"{podman.enclosure.base}/image.tar"
    podman.load(write_oci(image, path))
    return image.name


def life(podman: Podman, words: list[str]) -> dict[str, float]:
    """Run, stop and remove one container; return what each took."""
    run = ["run", "-d", "--network", "none", "--name", "bench", *words]
    times = {
        "run -d": timed(lambda: podman.podman(*run)),
        "stop": timed(lambda: podman.podman("stop", "bench")),
        "rm": timed(lambda: podman.podman("rm", "bench")),
    }
    return {**times, "run -d to rm": sum(times.values())}


def measure(version: str, rounds: int) -> None:
    """Print medians and ratios for one version of Podman."""
    with Podman(fetch(), version, [BIN], etc=CONFIG) as podman:
        probe = load(podman, probe_image("localhost/probe:1", podman.enclosure.base))
        hello = load(podman, firmware_image("localhost/hello:1", FIRMWARE))
        name = ["--annotation", "remoteproc.name=m3-0"]
        firmware = ["--runtime", f"{BIN}/remoteproc-runtime", *name, hello]
        times: dict[str, dict[str, list[float]]] = {"ours": {}, "crun": {}}
        for _ in range(rounds):
            for who, words in (("ours", firmware), ("crun", ["--runtime", "crun", probe])):
                for step, value in life(podman, words).items():
                    times[who].setdefault(step, []).append(value)
    print(f"podman {version}: {rounds} rounds, median ms")
    print(f"{'':16}{'ours':>8}{'crun':>8}{'ratio':>8}")
    for step in STEPS:
        ours, crun = (statistics.median(times[who][step]) for who in ("ours", "crun"))
        print(f"{step:16}{ours:8.0f}{crun:8.0f}{ours / crun:8.2f}")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    for version in PODMAN:
        measure(version, rounds)


if __name__ == "__main__":
    main()
