"""The package works by itself, copied elsewhere under another name, and is light to import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import adapters.containerd.ttrpc as package

PROGRAM = """
import socket, sys, threading
sys.path.insert(0, sys.argv[1])
from google.protobuf.wrappers_pb2 import StringValue
from elsewhere.client import Client
from elsewhere.server import Server

ours, theirs = socket.socketpair()
server = Server(same_user_only=True)
server.register("s", {"Echo": (StringValue, lambda context, request: request)})
thread = threading.Thread(target=server.serve, args=[ours])
thread.start()
with Client(theirs) as client:
    print(client.call("s", "Echo", StringValue(value="alone"), StringValue).value)
thread.join()
heavy = {"asyncio", "subprocess", "logging", "dataclasses", "yaml", "pathlib", "adapters"}
print(sorted(heavy & set(sys.modules)))
"""


def test_it_works_alone_and_imports_nothing_heavy(tmp_path):
    shutil.copytree(
        os.path.dirname(package.__file__),
        tmp_path / "elsewhere",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    command = [sys.executable, "-I", "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("alone\n[]\n", "")
