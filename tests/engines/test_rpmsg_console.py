"""Proves that Docker's users talk to firmware over rpmsg."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.engines import pty_input
from tests.engines.images import firmware_image, write_docker
from tests.engines.ours import RUNTIME, SAMPLES

pytestmark = pytest.mark.slow

IMAGE = "localhost/rpmsg_answer:1"
ETC = {"remoteproc-runtime/config.yaml": "backend: sim\nboard: stm32mp1-m4\n"}
ASKED = (
    *("--network", "none", "--runtime", RUNTIME),
    *("--annotation", "remoteproc.name=m4", "--annotation", "remoteproc.console=rpmsg"),
)


def test_a_session_over_rpmsg(start_docker, tmp_path):
    docker = start_docker("28", etc=ETC)
    image = firmware_image(IMAGE, f"{SAMPLES}/../stm32mp1-m4/rpmsg_answer.elf")
    docker.load(write_docker(image, f"{tmp_path}/image.tar"))

    dialogue = json.dumps([["", "hello\r"], ["you said: ", "\x03"]])
    script = [sys.executable, os.path.abspath(pty_input.__file__), dialogue]
    command = [docker._client(), "run", *ASKED, "-it", "--rm", "--name", "one", IMAGE]
    talked = docker.host.run(*script, *command, env=docker._environment)
    assert talked.code == 0 and "you said: " in talked.stdout, talked
