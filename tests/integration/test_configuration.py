"""Proves what the configuration file changes, by the command line: a limit, and what it costs."""

from __future__ import annotations

import os
import sys
import time

import pytest

SIZE = 65 << 20  # bytes, over the default limit of 64 MiB


@pytest.fixture
def large(runtime, firmware):
    """A bundle whose firmware is larger than the default limit."""
    rootfs = f"{runtime.bundle()}/rootfs"
    os.truncate(f"{rootfs}/firmware.elf", SIZE)
    return runtime


def test_large_firmware_is_refused_at_the_default_limit(large):
    outcome = large.create(check=False)
    assert outcome.returncode == 1
    assert f"has {SIZE} bytes or more, over the limit of {64 << 20}" in outcome.stderr
    assert "`size-limit`" in outcome.stderr


def test_large_firmware_is_taken_up_to_the_configured_limit(large):
    with open(f"{large.place}/config.yaml", "a") as file:
        file.write("processors: {m3-0: {size-limit: 128M}}\n")
    large.create()
    assert large.state()["status"] == "created"


@pytest.mark.parametrize("words", [["state", "c1"], ["list"]])
def test_only_the_first_command_imports_pyyaml(runtime, firmware, words):
    environment = {**os.environ, "XDG_RUNTIME_DIR": runtime.place}
    runtime.bundle()
    runtime.create(env=environment)
    runtime.prefix = [sys.executable, "-X", "importtime"]
    imported = [
        line.rpartition("|")[2].strip()
        for line in runtime.run(*words, env=environment).stderr.splitlines()
    ]
    assert "bootstrap.settings" in imported
    assert "yaml" not in imported
    assert "bootstrap.config_file" not in imported and "adapters.config.yaml_node" not in imported


def test_create_imports_pyyaml_only_after_a_change(runtime, firmware):
    environment = {**os.environ, "XDG_RUNTIME_DIR": runtime.place}
    runtime.bundle()
    runtime.prefix = [sys.executable, "-X", "importtime"]
    seen = []
    # All tests of root share a cache, and no other test's configuration may have the same text.
    for text in (f"# {time.time_ns()}\n", "", "# changed\n", ""):
        with open(f"{runtime.place}/config.yaml", "a") as file:
            file.write(text)
        created = runtime.create(env=environment)
        seen.append("| yaml\n" in created.stderr)
        runtime.run("delete", "--force", "c1", env=environment)
    assert seen == [True, False, True, False]
