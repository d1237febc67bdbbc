"""Proves that the generated files are what their sources generate today.

The protobuf modules have a test of their own (tests/unit/containerd/test_api.py): it may need the
network.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHOLLY_GENERATED = ("docs/man",)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The directory below which all was generated."""
    directory = tmp_path_factory.mktemp("generated")
    environment = {**os.environ, "PROTOBUF": "no", "PYTHON": sys.executable}
    subprocess.run([ROOT / "script/generate", directory], env=environment, check=True)
    return directory


def files_below(directory):
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}


def test_generating_again_gives_the_same_bytes(made):
    names = files_below(made)
    assert {"adapters/oci/args_table.py", "docs/man/remoteproc-runtime.1"} <= names
    different = [
        name
        for name in sorted(names)
        if not (ROOT / name).is_file() or (made / name).read_bytes() != (ROOT / name).read_bytes()
    ]
    assert not different, f"{', '.join(different)}: not as generated; run script/generate"


@pytest.mark.parametrize("directory", WHOLLY_GENERATED)
def test_nothing_is_left_of_what_is_generated_no_more(made, directory):
    left = files_below(ROOT / directory) - files_below(made / directory)
    assert not left, f"{', '.join(sorted(left))}: nothing generates it in {directory}; remove it"
