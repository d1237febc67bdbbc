"""That the tests of test_kernel.py pass on Debian's kernel, and on one with /dev/remoteprocN."""

from __future__ import annotations

import pytest

from tests.board.vm import boot


@pytest.mark.slow
@pytest.mark.timeout(1800)  # the first time the guests are built
@pytest.mark.parametrize("kind", ["qemu", "uml"])
def test_on_a_real_kernel(kind):
    with boot(kind, module="names=m4,m7,bl detached=0,0,1", timeout=120.0) as vm:
        command = "python3.11 -m pytest -q -p no:hypothesispytest tests/unit/sysfs/test_kernel.py"
        done = vm.run(command, timeout=300.0)
    print(done.output)
    assert done.status == 0, done.output
    assert "passed" in done.output and "no tests ran" not in done.output
