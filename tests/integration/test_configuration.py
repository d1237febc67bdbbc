"""Proves what the configuration file changes, by the command line: a limit, and what it costs."""

from __future__ import annotations

import os
import sys

import pytest

from tests.own_cache import own_cache

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


@pytest.fixture
def imports(runtime, firmware):
    """Runs a command; returns the modules that it imported. Its cache is no other test's."""
    runtime.bundle()
    before, environment = own_cache(runtime.place)
    runtime.prefix = [*before, sys.executable, "-X", "importtime"]

    def imports(*words):
        told = runtime.run(*words, env=environment).stderr
        return [line.rpartition("|")[2].strip() for line in told.splitlines()]

    return imports


@pytest.mark.parametrize("words", [["state", "c1"], ["list"]])
def test_only_the_first_command_imports_pyyaml(runtime, imports, words):
    assert "yaml" in imports("create", "--bundle", f"{runtime.place}/bundle", "c1")
    imported = imports(*words)
    assert "bootstrap.settings" in imported
    assert "yaml" not in imported
    assert "bootstrap.config_file" not in imported and "adapters.config.yaml_node" not in imported


def test_create_imports_pyyaml_only_after_a_change(runtime, imports):
    seen = []
    for text in ("", "", "# changed\n", ""):
        with open(f"{runtime.place}/config.yaml", "a") as file:
            file.write(text)
        seen.append("yaml" in imports("create", "--bundle", f"{runtime.place}/bundle", "c1"))
        runtime.delete()
    assert seen == [True, False, True, False]
