"""Proves that nothing is left of containers whose processes were killed and suspended at random.

script/chaos runs more, under Docker too, and beside runc's shim.
"""

from __future__ import annotations

import pytest

from tests.engines.chaos import chaos
from tests.engines.ours import RUNTIME

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_few_lifecycles_under_containerd(releases, runtime_path):
    with chaos("ctr", RUNTIME, releases, runtime_path) as made:
        outcome = made.run(16)
    assert outcome.ran and outcome.signals, outcome
    assert outcome.left == [], outcome
