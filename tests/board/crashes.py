"""Crashes containers' processors one after the other, and prints what became of each container.

Runs in a guest: tests/board/run --kernel uml -- python3.11 -m tests.board.crashes 10
"""

from __future__ import annotations

import json
import sys
import tempfile

from features.benches.kernel import KernelBench


def crash(bench: KernelBench, container: str, **annotations: str) -> dict[str, object]:
    """Deploy, wait for output, crash; return the seconds until the supervisor's end, and more."""
    annotations = {f"remoteproc.{name}": value for name, value in annotations.items()}
    bundle = bench.bundle(bench.sample("prints and runs on"), "m4", annotations=annotations)
    for words in (("create", "--bundle", bundle, container), ("start", container)):
        outcome = bench.command(*words)
        assert outcome.code == 0, outcome.err
    bench.wait_for_output(container, "hello")
    seconds = bench.crash(container, "watchdog")
    state = bench.state(container)
    told = {
        "seconds": seconds,
        "status": state["status"],
        "exit": state["annotations"]["remoteproc.exit-status"],
        "remarks": bench.output(container)[1],
        "processor": bench.hardware_state("m4"),
        "dumps": [dump[:4].decode("latin-1") for dump in bench.coredumps()],
    }
    outcome = bench.command("delete", container)
    assert outcome.code == 0, outcome.err
    return told


def main(times: int) -> None:
    """Crash it so many times, then once more with a core dump."""
    with tempfile.TemporaryDirectory() as place:
        bench = KernelBench(f"{place}/bench")
        bench.board(["m4"], {})
        try:
            for number in range(times):
                print(json.dumps(crash(bench, f"pump-{number}")), flush=True)
            print(json.dumps(crash(bench, "dumped", coredump="enabled")), flush=True)
        finally:
            left = bench.close()
        assert not left, left


if __name__ == "__main__":
    main(int(sys.argv[1]))
