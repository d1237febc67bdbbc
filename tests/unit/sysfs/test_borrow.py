"""A processor that is borrowed right after the firmware on it has crashed."""

from __future__ import annotations

import pytest

from domain.annotations import ProcessorOptions
from tests.contract.backend_fixture import walk
from tests.contract.paper_kernel import PaperKernel
from tests.elf_builder import elf
from tests.firmware_images import image_of


@pytest.mark.parametrize("recovery, after", [("enabled", "running"), ("disabled", "offline")])
def test_crashed_firmware_runs_again_if_the_kernel_was_to_recover_it(tmp_path, recovery, after):
    kernel = PaperKernel(str(tmp_path / "tree"))
    (kernel.place / "recovery").write_text(f"{recovery}\n")
    (kernel.place / "state").write_text("crashed\n")
    (tmp_path / "fw.elf").write_bytes(elf())
    undo = kernel.install()
    try:
        processor = kernel.board.open("remoteproc0", ProcessorOptions(attached="borrow"))
        processor.release(walk(processor, image_of(tmp_path / "fw.elf"), "start"))
        assert kernel.read("state") == after
    finally:
        undo()
