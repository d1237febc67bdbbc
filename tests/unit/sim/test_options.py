"""Options without effect on a simulated processor are remarked on or refused."""

from __future__ import annotations

import pytest

from adapters.sim.board_file import load_board, parse_board
from adapters.sim.sim_board import SimBoard
from domain.annotations import CHOICES, ProcessorOptions
from domain.errors import Unsupported

BOARD = """
processors:
  - name: m4
    core: cortex-m3
    machine: mps2-an385
    memory: [{name: code, address: 0, size: 4M}, {name: data, address: 0x20000000, size: 4M}]
    boot: BOOT
"""


@pytest.mark.parametrize("boot", ["detached", "attached"])
def test_what_a_boot_loader_started_is_not_available(tmp_path, boot):
    spec = parse_board(BOARD.replace("BOOT", boot), str(tmp_path / "board.yaml"))
    board = SimBoard(spec, str(tmp_path / "boards"))
    (info,) = board.processors()
    assert info.state == boot
    processor = board.open("remoteproc0", ProcessorOptions())
    assert processor.state() == boot and not processor.available()
    processor.release({})
    assert not (tmp_path / "boards").exists()


@pytest.mark.parametrize("attached", ["take", "keep", "replace", "borrow"])
def test_nothing_there_can_be_taken_or_kept(tmp_path, attached):
    board = SimBoard(load_board("quad"), str(tmp_path))
    with pytest.raises(Unsupported, match=f"nothing to {attached} on processor m3-0"):
        board.open("remoteproc0", ProcessorOptions(attached=attached))


DEFAULTS = ProcessorOptions()
OTHERS = [
    (option, value)
    for option, values in CHOICES.items()
    for value in values
    if value != getattr(DEFAULTS, option) and option != "attached"
]


@pytest.mark.parametrize(("option", "value"), OTHERS)
def test_what_has_no_effect_is_remarked_once(tmp_path, option, value):
    processor = SimBoard(load_board("quad"), str(tmp_path)).open(
        "remoteproc0", ProcessorOptions(**{option: value})
    )
    said = f"m3-0 is simulated: remoteproc.{option} = {value} has no effect"
    assert list(processor.remarks()) == [said]
    assert list(processor.remarks()) == []
