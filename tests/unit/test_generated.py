"""Proves that the generated files are what their sources generate today, and that help is whole.

The protobuf modules have a test of their own (tests/unit/containerd/test_api.py): it may need the
network.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from adapters.oci.cli import cli

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


def test_the_list_of_commands_shows_each_summary_whole():
    shown = CliRunner().invoke(cli, ["--help"]).output.split("Commands:")[1]
    assert "..." not in shown


def test_options_without_effect_are_those_that_commands_do_not_get():
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in cli.list_commands(context)]
    parameters = [*cli.params, *(p for each in commands if each for p in each.params)]
    hidden = [each for each in parameters if getattr(each, "hidden", False)]
    assert hidden and not any(option.expose_value for option in hidden)
