"""Measures each command and the bare start of Python, in alternation in the same run.

The processor executes nothing and starts at once, so the times are the runtime's own. CPU time is
that of the command alone: `create` leaves a supervisor, which is not waited for.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from adapters.containerd import sockets  # noqa: E402
from adapters.containerd.protobuf_wire import text_field  # noqa: E402
from bench.measure import PROGRAMS, Budgets, Times  # noqa: E402

FIRMWARE = f"{HERE}/firmware/build/cortex-m3/hello.elf"
BARE = "bare interpreter"
# How many times the bare interpreter's time each may take.
BUDGETS = {"state": 1.6, "kill": 1.6, "delete": 1.6, "list": 1.6, "shim start": 1.6}
BUDGETS["shim delete"] = 1.6
CREATE_AND_START = 5.0
PLAIN, CONFIGURED = "no config", "config"


def cpu() -> float:
    """Return the CPU seconds of all programs that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def command(*words: str, **settings) -> Callable[[], object]:
    """Return a function that runs a program and drops its output."""
    return lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **settings)


def measure(times: Times, rounds: int, place: str, configured: bool) -> None:
    """Run whole lifecycles, and record the times of each command and of the bare interpreter."""
    who = CONFIGURED if configured else PLAIN
    with open(f"{place}/config.yaml", "w", encoding="utf-8") as file:
        file.write("backend: sim\nboard: idle\nrun-directory: run\n")
    config = ["--config", f"{place}/config.yaml"]
    runtime = [f"{PROGRAMS}/remoteproc-runtime", *config, "--root", f"{place}/state"]
    # Most boards have no configuration file. Only the creation needs one here, for the simulation.
    plain = runtime if configured else [runtime[0], "--root", f"{place}/state"]
    os.makedirs(f"{place}/bundle/rootfs")
    shutil.copy(FIRMWARE, f"{place}/bundle/rootfs/hello.elf")
    command(*runtime, "spec", "--bundle", f"{place}/bundle", "--processor", "idle-0")()
    for number in range(rounds):
        name = f"bench{number}"
        times.take(who, BARE, command(f"{PROGRAMS}/python3", "-I", "-c", "pass"))
        create = command(*runtime, "create", "--bundle", f"{place}/bundle", name)
        times.take(who, "create", create)
        times.take(who, "start", command(*plain, "start", name))
        times.take(who, "state", command(*plain, "state", name))
        times.take(who, "list", command(*plain, "list"))
        times.take(who, "kill", command(*plain, "kill", name))
        times.take(who, "delete", command(*plain, "delete", name))
        if not configured:  # containerd's shim reads the one file in /etc, if there is one
            _measure_shim(times, who, f"{place}/bundle", name)


def _measure_shim(times: Times, who: str, bundle: str, name: str) -> None:
    """Measure the shim's `start` where the pod has a shim already, and its `delete`."""
    shim = [f"{PROGRAMS}/containerd-shim-remoteproc-v1", "-namespace", "bench", "-id", name]
    params = text_field(1, name) + text_field(2, "bench") + text_field(9, bundle)
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(sockets.path_for(bundle, "", "bench", name))
        served.listen()
        times.take(who, "shim start", command(*shim, "start", cwd=bundle, input=params))
    times.take(who, "shim delete", command(*shim, "-bundle", bundle, "delete"))


def budgets(times: Times) -> Budgets:
    """Compare the ratios to the bare interpreter with the budgets."""
    table = Budgets()
    for who in (PLAIN, CONFIGURED):
        bare = times.median(who, BARE)
        both = times.median(who, "create") + times.median(who, "start")
        table.most(f"create + start / bare, {who}", both / bare, CREATE_AND_START)
        for step, budget in BUDGETS.items():
            if times.has(who, step):
                table.most(f"{step} / bare, {who}", times.median(who, step) / bare, budget)
    return table


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled
    times = Times(cpu)
    for configured in (False, True):
        with tempfile.TemporaryDirectory() as place:
            measure(times, rounds, place, configured)
    times.report(PLAIN, CONFIGURED)
    budgets(times).report()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
