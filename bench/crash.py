"""Times how long after the crash of a processor its container has ended. The promise is 150 ms.

The clock starts when the processor is made to crash. It stops when the supervisor has ended,
which is what engines wait for. The processors are simulated: once by the runtime itself, which
sees at once that QEMU ends; and, as root, once behind the kernel's interface (remoteproc-sim),
where the supervisor waits for the kernel log and reads the state.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from adapters.linux.process_tree import children  # noqa: E402
from bench.measure import PROGRAMS  # noqa: E402

FIRMWARE = f"{HERE}/firmware/build/cortex-m3/hello-traced.elf"
PROMISE = 150  # ms


def crash_once(runtime: list[str], bundle: str, crash: Callable[[int], None]) -> float:
    """Run a container, crash its processor, delete it; return the milliseconds to its end."""

    def command(*words: str) -> None:
        done = subprocess.run([*runtime, *words], stdout=subprocess.DEVNULL, stderr=log)
        if done.returncode:
            log.seek(0)
            raise SystemExit(f"{words[0]} failed: {log.read()}")

    pid_file = f"{bundle}/pid"
    with open(f"{bundle}/log", "w+", encoding="utf-8") as log:  # the container's stderr, too
        command("create", "--bundle", bundle, "--pid-file", pid_file, "pump")
        command("start", "pump")
        with open(pid_file, encoding="ascii") as file:
            supervisor = int(file.read())
        end = os.pidfd_open(supervisor)
        waiting = select.poll()
        waiting.register(end, select.POLLIN)
        began = time.perf_counter()
        crash(supervisor)
        ended = waiting.poll(15_000)
        milliseconds = (time.perf_counter() - began) * 1000
        os.close(end)
        command("delete", "--force", "pump")
    if not ended:
        raise SystemExit("the supervisor did not end within 15 s of the crash")
    return milliseconds


def kill_simulator(supervisor: int) -> None:
    """Kill the supervisor's QEMU."""
    (simulator,) = children(supervisor)
    os.kill(simulator, signal.SIGKILL)


@contextlib.contextmanager
def simulated_tree(tree: str) -> Iterator[Callable[[int], None]]:
    """Mount a board at `tree`; yield a function that crashes its processor."""
    os.makedirs(f"{tree}/lib/firmware")
    words = [f"{PROGRAMS}/remoteproc-sim", "--board", "cortex-m3", "--root", tree]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout is not None
        if "ready" not in simulator.stdout.readline():
            raise SystemExit("remoteproc-sim did not start")

        def crash(_: int) -> None:
            with open(f"{tree}/sys/kernel/debug/remoteproc/remoteproc0/crash", "w") as file:
                file.write("1")

        try:
            yield crash
        finally:
            simulator.terminate()


def measure(rounds: int, config: str, crash: Callable[[int], None], place: str) -> None:
    """Crash as many containers; print the milliseconds."""
    with open(f"{place}/config.yaml", "w", encoding="utf-8") as file:
        file.write(f"{config}run-directory: run\n")
    runtime = [f"{PROGRAMS}/remoteproc-runtime", "--config", f"{place}/config.yaml"]
    runtime += ["--root", f"{place}/state"]
    bundle = f"{place}/bundle"
    os.makedirs(f"{bundle}/rootfs")
    shutil.copy(FIRMWARE, f"{bundle}/rootfs/firmware.elf")
    spec = [*runtime, "spec", "--bundle", bundle, "--firmware", "firmware.elf"]
    subprocess.run(spec, check=True, stdout=subprocess.DEVNULL)
    times = sorted(crash_once(runtime, bundle, crash) for _ in range(rounds))
    ninetieth = times[min(rounds - 1, rounds * 9 // 10)]
    backend = config.split()[1]
    figures = f"{times[0]:8.1f}{statistics.median(times):8.1f}{ninetieth:8.1f}{PROMISE:8}"
    print(f"{backend:24}{figures}", flush=True)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    print(f"{'crash to end, ms':24}{'min':>8}{'median':>8}{'90 %':>8}{'promise':>8}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        measure(rounds, "backend: sim\nboard: cortex-m3\n", kill_simulator, place)
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory() as place, simulated_tree(f"{place}/tree") as crash:
            measure(rounds, f"backend: sysfs\ntree: {place}/tree\n", crash, place)


if __name__ == "__main__":
    main()
