"""A stop of firmware that crashes between the look at its state and the write of `stop`."""

from __future__ import annotations

import errno
import os

import pytest

from domain.annotations import ProcessorOptions
from tests.contract.backend_fixture import walk
from tests.contract.paper_kernel import PaperKernel
from tests.elf_builder import elf
from tests.firmware_images import image_of


class Linux510(PaperKernel):
    """It does not stop a crashed processor; `recover` starts that again."""

    crashes = False

    def _value(self, name: str, word: str) -> str:
        if (name, word) == ("recovery", "recover"):
            if self.read("state") == "crashed":
                (self.place / "state").write_text("running\n")
            return self.read("recovery")
        if (name, word) == ("state", "stop") and self.crashes:
            self.crashes = False
            (self.place / "state").write_text("crashed\n")
        if (name, word) == ("state", "stop") and self.read("state") == "crashed":
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return super()._value(name, word)


@pytest.mark.parametrize("way", ["stop", "release"])
def test_a_crash_between_the_look_and_the_stop(tmp_path, way):
    kernel = Linux510(str(tmp_path / "tree"))
    (tmp_path / "fw.elf").write_bytes(elf())
    undo = kernel.install()
    try:
        processor = kernel.board.open("remoteproc0", ProcessorOptions())
        claim = walk(processor, image_of(tmp_path / "fw.elf"), "start")
        kernel.crashes = True
        if way == "stop":
            processor.stop()
        processor.release(claim)
        assert (kernel.read("state"), kernel.published()) == ("offline", [])
    finally:
        undo()
