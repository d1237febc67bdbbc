"""The firmware file of a dead owner is removed even if the processor has gone."""

from __future__ import annotations

import os
import shutil

from adapters.sysfs.board import SysfsBoard
from domain.annotations import ProcessorOptions


def files(tree):
    return [name for _, _, names in os.walk(tree.root / "lib") for name in names]


def test_what_was_published_for_a_processor_that_has_gone_is_removed(tree, image):
    attributes = {"firmware": "rproc-m4-fw", "recovery": "enabled", "coredump": "disabled"}
    place = tree.processor("remoteproc0", name="m4", state="offline", **attributes)
    board = SysfsBoard(str(tree.root))
    processor = board.open("remoteproc0", ProcessorOptions())
    firmware = image()
    claim = processor.plan_claim("c1", firmware)
    processor.load(claim, firmware)
    assert len(files(tree)) == 1
    shutil.rmtree(place)
    for _ in range(2):
        board.reclaim("remoteproc0", claim)
        assert files(tree) == []
