"""Proves that a container waits for its processor as long as the operator said, under engines."""

from __future__ import annotations

import os

import pytest

from tests.engines.boards import CONFIG, ROOT, Board
from tests.engines.command_line import start
from tests.engines.ours import sample
from tests.engines.process import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WAITING = {
    name: f"{text}processors:\n  m3-0: {{wait-seconds: 60}}\n" for name, text in CONFIG.items()
}


@pytest.mark.parametrize("kind", ["docker-shim", "docker-path", "podman-5"])
def test_a_driver_that_appears_late_and_a_busy_processor(
    start_docker, start_podman, runtime_path, tmp_path, kind
):
    engine = start(kind, start_docker, start_podman, runtime_path, str(tmp_path), etc=WAITING)
    engine.load(sample("hello-traced"))
    host = engine.engine.host
    os.makedirs(f"{host.base}{ROOT}/lib/firmware")
    always = ("-d", "--restart", "always")

    def there(count):
        """Whether there are so many containers; nobody may ask Podman while one starts."""
        if kind == "podman-5":
            return len(host.find("/conmon")) == count
        return len(engine("ps", "-aq").text.split()) == count

    early = engine.background("hello-traced", *always)
    assert wait_until(lambda: there(1), 10) and early.running()
    board = Board(host, runtime_path)
    try:
        assert early.wait(60) == 0 and engine.state("one")["Status"] == "running"
        later = engine.background("hello-traced", *always, "--name", "two")
        assert wait_until(lambda: there(2), 10) and later.running()
        engine.remove("one")
        assert later.wait(60) == 0 and engine.state("two")["Status"] == "running"
        engine.remove("two")
    finally:
        board.close()
