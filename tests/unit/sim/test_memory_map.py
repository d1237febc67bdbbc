"""A board file must not give a machine memory that it does not have, or the same memory twice."""

import glob
import os

import pytest

from adapters.sim.board_file import SHIPPED, load_board, parse_board
from adapters.sim.memory_map import check_memory_maps
from adapters.sim.spec import ProcessorSpec
from domain.errors import InvalidRequest

BOARD = """
processors:
  - name: m3
    core: cortex-m3
    machine: {machine}
    memory: [{memory}]
"""
CODE = "{name: code, address: 0, size: 4M}"


@pytest.fixture
def load(tmp_path):
    def load(memory, machine="mps2-an385", extra=""):
        path = tmp_path / "own.yaml"
        path.write_text(BOARD.format(machine=machine, memory=memory) + extra)
        return load_board(str(path), cache=str(tmp_path / "parsed" / "board"))

    return load


@pytest.mark.parametrize(
    ("memory", "says"),
    [
        (f"{CODE}, {{name: far, address: 0x60000000, size: 1M}}", "no memory at 0x60000000, in"),
        (f"{CODE}, {{name: long, address: 0x21000000, size: 32M}}", "no memory at 0x22000000, in"),
        ("{name: uart, address: 0x40004000, size: 4K}", "no memory at 0x40004000"),
        (f"{CODE}, {{name: again, address: 0x400000, size: 64K}}", "'again' is the same as memory"),
    ],
)
def test_what_is_not_there_or_there_already_is_refused(load, memory, says):
    with pytest.raises(InvalidRequest, match=says) as caught:
        load(memory)
    assert "own.yaml: processor 'm3': " in str(caught.value)


def test_what_is_there_is_taken_also_across_parts(load):
    load(f"{CODE}, {{name: block, address: 0x01000000, size: 16K}}")
    load("{name: flash, address: 0, size: 256K}", "lm3s6965evb")
    load("{name: unknown, address: 0, size: 4K}", "no-such-machine")


def test_options_may_change_the_memory(load):
    load("{name: far, address: 0x60000000, size: 1M}", extra="    options: [-m, 16M]\n")


def test_qemu_is_asked_once(load, monkeypatch, tmp_path):
    load(CODE)
    monkeypatch.setattr("adapters.sim.memory_map._ask", lambda _: pytest.fail("asked again"))
    load(f"{CODE}, {{name: data, address: 0x20000000, size: 4M}}")
    stored = [name for name in os.listdir(tmp_path / "parsed") if "memory" in name]
    assert len(stored) == 1


@pytest.mark.parametrize("path", sorted(glob.glob(f"{SHIPPED}/*.yaml")), ids=os.path.basename)
def test_shipped_boards_have_what_they_say(path, tmp_path):
    with open(path) as file:
        board = parse_board(file.read(), path)
    first: dict[str, ProcessorSpec] = {spec.machine: spec for spec in board.processors}
    check_memory_maps(list(first.values()), path, str(tmp_path / "cache" / "memory"))


def test_what_qemu_did_not_tell_is_asked_again(load, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr("adapters.sim.memory_map.ask", lambda *_: "")
        load("{name: far, address: 0x60000000, size: 1M}")
    with pytest.raises(InvalidRequest, match="has no memory at 0x70000000"):
        load("{name: far, address: 0x70000000, size: 1M}")
