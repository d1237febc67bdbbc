"""A service whose extra is not installed says which one to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from bootstrap.oci import main
main()
"""


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        ("device-plugin", "grpc", "kubernetes"),
        ("dra-driver", "grpc", "dra"),
        ("dra-driver", "kubernetes", "dra"),
        ("metrics", "prometheus_client", "metrics"),
    ],
)
def test_it_is_said_what_to_install(node, command, module, extra):
    words = [sys.executable, "-c", WITHOUT, module, *node.command(command)[1:]]
    if command == "device-plugin":
        words += ["--kubelet-directory", f"{node.place}/plugins"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"remoteproc-runtime: {command} needs a Python package that is missing: {module}"
    )
    assert f"install remoteproc-runtime[{extra}]" in done.stderr
    assert done.stderr.count("\n") == 1
