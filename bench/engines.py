"""Measures containers of firmware, and of a program by runc or crun, under the same engines.

Both run in alternation. The processors are simulated. The timed containers run on processors that
execute nothing and start at once, so the times are the runtime's own. Memory and idle CPU are
measured, and crashes are made, on processors whose firmware QEMU executes.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from bench.measure import PROGRAMS, Budgets, Times  # noqa: E402
from bench.usage import cpu_seconds, idle_cpu, memory, others  # noqa: E402
from tests.engines.containerd import Containerd  # noqa: E402
from tests.engines.docker import Docker  # noqa: E402
from tests.engines.images import probe_image, write_docker, write_oci  # noqa: E402
from tests.engines.ours import RUNTIME, sample  # noqa: E402
from tests.engines.podman import Podman  # noqa: E402
from tests.engines.process import Process, wait_until  # noqa: E402
from tests.engines.releases import fetch  # noqa: E402

HELLO, ECHO, PROBE = "localhost/hello:1", "localhost/echo:1", "localhost/probe:1"
COUNT = 8
_EXECUTING = """\
  - name: m3-{}
    core: cortex-m3
    machine: mps2-an385
    memory:
      - {{name: code, address: 0x0, size: 4M}}
      - {{name: data, address: 0x20000000, size: 4M}}
"""
_IDLE = "  - {{name: idle-{}, core: none}}\n"
_BRIEF = "  - {{name: brief-{}, core: none, faults: {{end-after: 0.001}}}}\n"  # ends by itself
ETC = {
    "remoteproc-runtime/config.yaml": "backend: sim\nboard: board.yaml\n",
    "remoteproc-runtime/board.yaml": "processors:\n"
    + "".join(p.format(n) for p in (_EXECUTING, _IDLE, _BRIEF) for n in range(COUNT)),
}


def on(processor: str) -> list[str]:
    """Return the option that chooses a processor."""
    return ["--annotation", f"remoteproc.name={processor}"]


def load(engine: Docker | Containerd | Podman) -> None:
    """Load all images that the benchmarks run."""
    base = engine.host.base
    for image in (sample("hello"), sample("echo"), probe_image(PROBE, base)):
        write = write_docker if isinstance(engine, Docker) else write_oci
        engine.load(write(image, f"{base}/{image.name.partition('/')[2].partition(':')[0]}.tar"))


def docker_lives(docker: Docker, rounds: int, budgets: Budgets) -> None:
    """Time a container's life under Docker."""
    times = Times(lambda: cpu_seconds(docker.host))
    ours, runc = ["--runtime", RUNTIME, *on("idle-0"), HELLO], [PROBE]
    for _ in range(rounds):
        for who, words in (("remoteproc", ours), ("runc", runc)):
            run = ["run", "-d", "--network", "none", "--name", "life", *words]
            times.take(who, "docker run -d", partial(docker.docker, *run))
            docker.docker("stop", "life")
            times.take(who, "docker start", lambda: docker.docker("start", "life"))
            times.take(who, "docker stop", lambda: docker.docker("stop", "life"))
            times.take(who, "docker rm", lambda: docker.docker("rm", "life"))
    times.report("remoteproc", "runc")
    for step, most in (("run -d", 0.80), ("start", 0.80), ("stop", 0.95), ("rm", 0.95)):
        ratio = times.ratio(f"docker {step}", "remoteproc", "runc")
        budgets.most(f"docker {step}, times runc", ratio, most)


def ctr_lives(containerd: Containerd, rounds: int, budgets: Budgets) -> None:
    """Time a container's life under containerd."""
    times = Times(lambda: cpu_seconds(containerd.host))
    ours = ["--runtime", RUNTIME, *on("idle-0"), HELLO]
    for _ in range(rounds):
        for who, words in (("remoteproc", ours), ("runc", [PROBE])):
            run = ["run", "-d", *words, "life"]
            times.take(who, "ctr run -d", partial(containerd.ctr, *run))
            times.take(who, "ctr task kill", lambda: containerd.ctr("task", "kill", "life"))
            wait_until(lambda: "STOPPED" in containerd.ctr("task", "ls").stdout)
            times.take(who, "ctr task rm", lambda: containerd.ctr("task", "rm", "life"))
            containerd.ctr("container", "rm", "life")
    times.report("remoteproc", "runc")
    for step, most in (("run -d", 0.85), ("task kill", 1.1), ("task rm", 1.0)):
        ratio = times.ratio(f"ctr {step}", "remoteproc", "runc")
        budgets.most(f"ctr {step}, times runc", ratio, most)


def podman_lives(podman: Podman, rounds: int, budgets: Budgets) -> None:
    """Time a container's life under Podman."""
    times = Times(lambda: cpu_seconds(podman.host))
    ours = ["--runtime", f"{PROGRAMS}/remoteproc-runtime", *on("idle-0"), HELLO]
    for _ in range(rounds):
        for who, words in (("remoteproc", ours), ("crun", ["--runtime", "crun", PROBE])):
            run = ["run", "-d", "--network", "none", "--name", "life", *words]
            times.take(who, "podman run -d", partial(podman.podman, *run))
            times.take(who, "podman stop", lambda: podman.podman("stop", "life"))
            podman.podman("rm", "life")
            podman.podman(*run)
            times.take(who, "podman rm -f", lambda: podman.podman("rm", "-f", "life"))
    times.report("remoteproc", "crun")
    for step, most in (("run -d", 1.5), ("stop", 1.4), ("rm -f", 1.0)):
        ratio = times.ratio(f"podman {step}", "remoteproc", "crun")
        budgets.most(f"podman {step}, times crun", ratio, most)


def docker_usage(docker: Docker, seconds: float, budgets: Budgets) -> None:
    """Measure memory and idle CPU of running containers, without the engine and QEMU.

    The firmware waits for input and prints nothing meanwhile.
    """
    before = set(docker.host.processes())
    for number in range(COUNT):
        run = ["run", "-d", "--network", "none", "--name", f"m{number}", "--runtime", RUNTIME]
        docker.docker(*run, *on(f"m3-{number}"), ECHO)
        if number + 1 in (1, 4, 8):
            time.sleep(1)  # the memory that only the start needs is free again
            used = memory(others(docker.host, before))
            most = {1: 18, 4: 26, 8: 36}[number + 1]
            budgets.most(f"memory of {number + 1} containers, MiB", used, most)
        if number + 1 == 4:
            idle = idle_cpu(others(docker.host, before), seconds)
            budgets.most("CPU of 4 idle containers, ms per s", idle, 4)
    docker.docker("rm", "-f", *(f"m{number}" for number in range(COUNT)))


def docker_crash(docker: Docker, rounds: int, budgets: Budgets) -> None:
    """Time from the end of a processor's QEMU until `docker wait` returns."""
    times = Times(lambda: 0.0)
    for _ in range(rounds):
        run = ["run", "-d", "--network", "none", "--name", "crash", "--runtime", RUNTIME]
        docker.docker(*run, *on("m3-0"), HELLO)
        waiting = docker.background("wait", "crash")
        time.sleep(0.3)  # until the client waits
        (simulator,) = docker.host.find("qemu-system-arm")

        def crash(simulator: int = simulator, waiting: Process = waiting) -> None:
            os.kill(simulator, signal.SIGKILL)
            waiting.wait(20)

        times.take("remoteproc", "crash", crash)
        docker.docker("rm", "-f", "crash")
    budgets.most("crash known to docker wait, ms", times.median("remoteproc", "crash"), 100)


def docker_throughput(docker: Docker, seconds: float, budgets: Budgets) -> None:
    """Count `docker run --rm` of programs that end at once, four at a time."""
    counts: dict[str, float] = {}
    for who in ("remoteproc", "runc"):
        end = time.monotonic() + seconds

        def work(number: int, who: str = who, end: float = end) -> int:
            words = ["--runtime", RUNTIME, *on(f"brief-{number}"), HELLO]
            words = words if who == "remoteproc" else [PROBE, "say", "x", "0"]
            done = 0
            while time.monotonic() < end:
                docker.docker("run", "--rm", "--network", "none", *words)
                done += 1
            return done

        with ThreadPoolExecutor(4) as pool:
            counts[who] = sum(pool.map(work, range(4))) * 60 / seconds
        print(f"docker run --rm, 4 at a time, {who}: {counts[who]:.0f} a minute")
    ratio = counts["remoteproc"] / counts["runc"]
    budgets.least("docker run --rm a minute, times runc", ratio, 0.9)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    budgets, releases = Budgets(), fetch()
    with Docker(releases, "28", [PROGRAMS], etc=ETC) as docker:
        load(docker)
        docker_usage(docker, rounds, budgets)  # first: what it starts for all counts, too
        docker_lives(docker, rounds, budgets)
        docker_crash(docker, rounds, budgets)
        docker_throughput(docker, 3.0 * rounds, budgets)
    with Containerd(releases, "2", [PROGRAMS], etc=ETC) as containerd:
        load(containerd)
        ctr_lives(containerd, rounds, budgets)
    with Podman(releases, "5", [PROGRAMS], etc=ETC) as podman:
        load(podman)
        podman_lives(podman, rounds, budgets)
    budgets.report()


if __name__ == "__main__":
    main()
