"""That the features hold on real kernels, and on simulated boards that look like one.

In the guests: Debian's kernel, which leaves a processor on when its supervisor is killed, and one
with /dev/remoteprocN, which does not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.board.vm import CHECKOUT, boot

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

OPTIONS = ["features/test_features.py", "-q", "--timeout", "300", "--tb", "short"]


def check(record, where, status, output, least):
    """Fail if the features did; record how many there were, for the summary."""
    passed = re.search(r"(\d+) passed", output)
    count = int(passed[1]) if passed else 0
    record("scenarios", f"{count} scenarios on {where}")
    assert status == 0, output[-20_000:]
    assert count >= least


# An emulated CPU takes a second for a command: a third of the scenarios runs on it, shared out to
# the tests' two workers. All run on the other kernel; and here, too, with EVERY_SCENARIO=1.
OF = 2 if os.environ.get("EVERY_SCENARIO") else 6


@pytest.mark.parametrize(
    ("kind", "which", "least"),
    [
        ("uml", (), 100),
        ("qemu", ("-m", "not before_any_kernel", "--part", f"1/{OF}"), 80 // OF),
        ("qemu", ("-m", "not before_any_kernel", "--part", f"2/{OF}"), 80 // OF),
    ],
    ids=("uml", "qemu-1", "qemu-2"),
)
def test_on_a_real_kernel(kind, which, least, record_property):
    with boot(kind, timeout=120.0) as vm:
        command = ["pytest", *OPTIONS, "--backend", "kernel", *which]
        done = vm.run(command, timeout=1700.0, on_output=lambda text: print(text, end=""))
        check(record_property, f"kernel/{kind} {vm.release}", done.status, done.output, least)


@pytest.mark.parametrize(
    ("backend", "part", "least"),
    [
        ("simfs", "1/1", 100),  # behind the kernel's interface
        ("generic", "1/12", 6),  # a vendor's chip; most of it is as on the backend sim
    ],
    ids=("simfs", "generic"),
)
def test_on_simulated_boards(record_property, backend, part, least):
    command = [sys.executable, "-m", "pytest", *OPTIONS, "--backend", backend, "--part", part]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as inner:
        assert inner.stdout
        lines = []
        try:
            for line in inner.stdout:
                print(line, end="", flush=True)
                lines.append(line)
        except BaseException:
            inner.kill()
            raise
    check(record_property, backend, inner.returncode, "".join(lines), least)
