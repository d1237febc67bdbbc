"""The processors of real kernels fulfil their contract, and pass test_kernel.py.

Of Debian's kernel, and of one with /dev/remoteprocN and rpmsg_tty (which test_rpmsg.py tries).
The contract is that of all processors.
"""

from __future__ import annotations

import re

import pytest

from tests.board.vm import boot

# The first time the guests are built.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.parametrize("kind", ["qemu", "uml"]),
]

PYTEST = "python -m pytest -q -p no:hypothesispytest"

OURS = {
    "qemu": ["tests/unit/sysfs/test_kernel.py"],
    "uml": ["tests/unit/sysfs/test_kernel.py", "tests/unit/sysfs/test_rpmsg.py"],
}
CONTRACT = [
    "tests/contract/test_processor.py",
    "tests/contract/test_recovery.py",
    "tests/contract/test_supervisors.py",
]
CONTRACTS = {
    "qemu": CONTRACT,
    # Each death takes seconds on the emulated one.
    "uml": [*CONTRACT, "tests/contract/test_lifecycle_faults.py"],
}


def passed(vm, arguments):
    """Run tests in the guest; return how many there were, all of which have passed."""
    done = vm.run(f"{PYTEST} {arguments}", timeout=600.0)
    print(done.output)
    assert done.status == 0, done.output
    found = re.search(r"(\d+) passed", done.output)
    return int(found[1]) if found else 0


def test_on_a_real_kernel(kind):
    with boot(kind, module="names=m4,m7,bl detached=0,0,1", timeout=120.0) as vm:
        assert passed(vm, " ".join(OURS[kind])) > {"qemu": 25, "uml": 35}[kind]


def test_the_contract_on_a_real_kernel(kind, record_property):
    with boot(kind, timeout=120.0) as vm:
        count = passed(vm, f"{' '.join(CONTRACTS[kind])} -k kernel")
        record_property("scenarios", f"{count} contract tests on kernel/{kind} {vm.release}")
        assert count > 50
