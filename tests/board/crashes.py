"""Crashes containers' processors one after the other, and prints what became of each container.

Runs in a guest: tests/board/run --kernel uml -- python -m tests.board.crashes 10
"""

from __future__ import annotations

import json
import sys
import tempfile
import time

from features.backends.kernel import KernelBackend
from features.backends.processes import WatchedProcess


def crash(backend: KernelBackend, container: str, **annotations: str) -> dict[str, object]:
    """Deploy, wait for output, crash; return the seconds until the supervisor's end, and more."""
    annotations = {f"remoteproc.{name}": value for name, value in annotations.items()}
    bundle = backend.bundle(backend.sample("prints and runs on"), "m4", annotations=annotations)
    for words in (("create", "--bundle", bundle, container), ("start", container)):
        outcome = backend.command(*words)
        assert outcome.code == 0, outcome.err
    backend.wait_for_output(container, "hello")
    with WatchedProcess(backend.state(container)["pid"]) as supervisor:
        began = time.monotonic()
        backend.inject("m4", "watchdog")
        assert supervisor.wait(15), "the supervisor did not end"
        seconds = time.monotonic() - began
    state = backend.state(container)
    result = {
        "seconds": seconds,
        "status": state["status"],
        "exit": state["annotations"]["remoteproc.exit-status"],
        "remarks": backend.output(container)[1],
        "processor": backend.hardware_state("m4"),
        "dumps": [dump[:4].decode("latin-1") for dump in backend.core_dumps()],
    }
    outcome = backend.command("delete", container)
    assert outcome.code == 0, outcome.err
    return result


def main(times: int) -> None:
    """Crash it so many times, then once more with a core dump."""
    with tempfile.TemporaryDirectory() as place:
        backend = KernelBackend(f"{place}/backend")
        backend.board(["m4"], {})
        backend.set_entry("m4", {"annotations": {"coredump": ["enabled"]}})
        try:
            for number in range(times):
                print(json.dumps(crash(backend, f"pump-{number}")), flush=True)
            print(json.dumps(crash(backend, "dumped", coredump="enabled")), flush=True)
        finally:
            left = backend.close()
        assert not left, left


if __name__ == "__main__":
    main(int(sys.argv[1]))
