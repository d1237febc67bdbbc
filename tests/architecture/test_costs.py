"""What engines' calls cost, counted: modules that a call imports, and other files that it opens.

Counts are the same on every machine, as times are not. `script/bench` measures the times.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from adapters.containerd import sockets
from adapters.containerd.protobuf_wire import text_field
from tests.architecture.sources import ROOT

# The program ends by os._exit, so what it did is told right before.
COUNTED = """
import os, sys
sys.path += sys.argv.pop(1).split(":")
report, before, opened = sys.argv.pop(1), set(sys.modules), []
sys.addaudithook(lambda event, args: event == "open" and opened.append(args[0]))
end = os._exit
def tell(code):
    others = [path for path in opened if isinstance(path, str) and ".py" not in path]
    with open(report, "w") as file:
        file.write("\\n".join(sorted(set(sys.modules) - before)) + "\\n\\n" + "\\n".join(others))
    end(code)
os._exit = tell
from bootstrap.{program} import main
main()
"""
# What a bare interpreter has not loaded, and what a call may not load either.
SLOW = {"collections", "contextlib", "ctypes", "enum", "functools", "google.protobuf", "json"}
SLOW |= {"pathlib", "re", "selectors", "signal", "socket", "subprocess", "typing", "yaml", "click"}


def count(tmp_path, program, *arguments, code=0, **settings):
    """Run a call; return the modules that it has imported, and the other files it has opened."""
    report = tmp_path / "report"
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", COUNTED.format(program=program)]
    path = f"{ROOT}:{Path(click.__file__).parents[1]}"
    command += [path, str(report), *arguments]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False, **settings)
    assert done.returncode == code, done.stderr
    modules, _, files = report.read_text().partition("\n\n")
    return modules.splitlines(), files.splitlines()


# Three more than there are.
MODULES, FILES = 46, 7


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("state", "c1"), 0),
        (("list",), 0),
        (("start", "c1"), 1),
        (("kill", "c1", "TERM"), 1),
        (("delete", "c1"), 0),
    ],
)
def test_commands(root_with_a_container, tmp_path, arguments, code):
    loaded, opened = count(tmp_path, "oci", "--root", root_with_a_container, *arguments, code=code)
    assert "adapters.state.container_store" in loaded, "the command was carried out"
    assert SLOW & set(loaded) == set()
    assert len(loaded) <= MODULES, loaded
    assert len(opened) <= FILES, opened


def test_the_shims_delete(tmp_path):
    flags = ("-namespace", "tests", "-id", "c1", "-bundle", str(tmp_path))
    loaded, opened = count(tmp_path, "shim", *flags, "delete")
    assert "adapters.containerd.delete" in loaded
    assert SLOW & set(loaded) == set()
    assert len(loaded) <= 46, loaded
    assert len(opened) <= 8, opened


def test_the_shims_start(tmp_path):
    """A shim of the pod serves already, so no process is left behind."""
    (tmp_path / "config.json").write_text('{"annotations": {}}')
    path = sockets.path_for(str(tmp_path), "", "tests", "c1")
    params = text_field(1, "c1") + text_field(2, "tests") + text_field(9, str(tmp_path))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(8)
        flags = ("-namespace", "tests", "-id", "c1")
        loaded, opened = count(tmp_path, "shim", *flags, "start", cwd=tmp_path, input=params)
    assert (tmp_path / "address").read_text() == f"unix://{path}"
    assert SLOW & set(loaded) == set()
    assert len(loaded) <= 27, loaded
    assert len(opened) <= 6, opened


def test_what_is_slow_would_be_noticed(tmp_path):
    loaded, _ = count(tmp_path, "oci", "--version")
    assert {"click", "typing", "re"} <= set(loaded) & SLOW
