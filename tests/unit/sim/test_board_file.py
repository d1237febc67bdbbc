"""Board files: shipped boards are right, and an error names file, line and key of every mistake."""

import json
import re

import pytest

from adapters.sim.board_file import load_board, parse_board
from adapters.sim.spec import InjectedFaults, ProcessorSpec
from domain.compatibility import Region
from domain.errors import InvalidRequest, NotFound

GOOD = """\
processors:
  - name: a
    core: cortex-m3
    machine: mps2-an385
    memory:
      - {name: code, address: 0x0, size: 4M}
"""
NAMED = "processors:\n  - name: a\n"


def test_all_of_a_processor_is_read():
    text = GOOD + (
        "    console: none\n    options: [-icount, shift=0]\n"
        "    faults: {start-delay: 0.5, start-error: EIO, stop-error: EBUSY, crash-after: 2}\n"
    )
    board = parse_board(text, "/etc/boards/x.yaml")
    assert (board.name, board.path) == ("x", "/etc/boards/x.yaml")
    assert board.processors == (
        ProcessorSpec(
            "a", "cortex-m3", "mps2-an385", (Region("code", 0, 4 << 20),), "none",
            ("-icount", "shift=0"), InjectedFaults(0.5, "EIO", "EBUSY", 2.0),
        ),
    )  # fmt: skip


def test_a_processor_that_executes_nothing_needs_no_more_than_a_name():
    text = "processors:\n  - {name: a, core: none, faults: {end-after: 0.5, exit-code: 3}}\n"
    (spec,) = parse_board(text, "x.yaml").processors
    assert spec == ProcessorSpec("a", "none", faults=InjectedFaults(end_after=0.5, exit_code=3))


@pytest.mark.parametrize(
    ("board", "names"),
    [
        ("cortex-m3", ["m3"]),
        ("cortex-m33", ["m33"]),
        ("riscv32", ["rv"]),
        ("quad", ["m3-0", "m3-1", "m3-2", "m3-3"]),
        ("idle", ["idle-0", "idle-1", "idle-2", "idle-3"]),
    ],
)
def test_a_bare_name_is_a_shipped_board_and_survives_json(board, names):
    processors = load_board(board).processors
    assert [p.name for p in processors] == names
    for processor in processors:
        again = ProcessorSpec.from_json(json.loads(json.dumps(processor.to_json())))
        assert again == processor


def test_a_path_is_relative_to_the_directory_given(tmp_path):
    (tmp_path / "mine.yaml").write_text(GOOD)
    assert load_board("mine.yaml", str(tmp_path)).path == str(tmp_path / "mine.yaml")


@pytest.mark.parametrize("reference", ["cortex-m5", "./none.yaml", "none.yaml"])
def test_a_missing_board_is_not_found(reference, tmp_path):
    with pytest.raises(NotFound, match=r"no board is called|cannot read"):
        load_board(reference, str(tmp_path))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "is empty"),
        ("a: [", 1, "is not YAML"),
        ('a: b\nc: "\\UFFFFFFFF"', 2, "is not YAML: no such character"),
        ('a: b\nc: "\\U00110000"', 2, "is not YAML: no such character"),
        ("a:\n  " + "[" * 3000, 2, "is not YAML: more than 20 brackets in brackets"),
        ("a:\n  " + "{a: " * 3000, 2, "is not YAML: more than 20 brackets in brackets"),
        ("- " * 3000, 1, "is not YAML: too many levels"),
        ("? " * 3000, 1, "is not YAML: too many levels"),
        ("- a", 1, "the board must be a mapping"),
        ("procesors: []", 1, "'procesors' in the board; did you mean 'processors'"),
        ("processors: []", 1, "at least one"),
        ("processors: [1]", 1, "a processor must be a mapping"),
        ("\n\nprocessors: {}", 3, "must be a list"),
        (GOOD.replace("core:", "cor:"), 3, "'cor' in a processor; did you mean 'core'"),
        (GOOD.replace("cortex-m3", "cortex-m73"), 3, "did you mean 'cortex-m[37]'"),
        (GOOD.replace("    machine: mps2-an385\n", ""), 2, "lacks the key 'machine'"),
        (GOOD.replace("name: a", "name: [1]"), 2, "name must be a text"),
        (GOOD.replace("name: a", "name: a/b"), 2, "no slash"),
        (GOOD.replace("name: a", "name: a b"), 2, "no spaces"),
        (GOOD.replace("name: a", "name:"), 2, "name must be a text"),
        (GOOD.replace("0x0", "here"), 6, "address 'here' is no number"),
        (GOOD.replace("0x0", "-1"), 6, "out of range"),
        (GOOD.replace("4M", "4X"), 6, "size '4X' is no number"),
        (GOOD.replace("4M", "0"), 6, "size of memory 'code' is out of range"),
        (GOOD + "      - {name: d, address: 0x100, size: 4}\n", 7, "'d' overlaps memory 'code'"),
        (GOOD + "    core: cortex-m3\n", 7, "'core' is given twice"),
        (GOOD + "    console: tty\n", 7, "console 'tty' is unknown; known are uart, uart1, uart2,"),
        (GOOD + "    faults: {start-error: EFOO}\n", 7, "'EFOO' is no errno name"),
        (GOOD + "    faults: {crash-after: soon}\n", 7, "'soon' is no number of seconds"),
        (GOOD + "    faults: {crash_after: 1}\n", 7, "did you mean 'crash-after'"),
        (GOOD + "    faults: {exit-code: 1}\n", 7, "no effect without end-after"),
        (GOOD + "    faults: {end-after: 1, exit-code: 256}\n", 7, "exit-code 256 is over 255"),
        (GOOD + "    faults: {end-after: 1, exit-code: -1}\n", 7, "out of range"),
        (NAMED + "    core: none\n    console: none\n", 4, "console has no effect on core 'none'"),
        (NAMED + "    core: none\n    options: [-s]\n", 4, "options has no effect on core 'none'"),
        (NAMED + "    core: none\n    machine: x\n", 4, "machine has no effect on core 'none'"),
        (GOOD + GOOD[12:], 7, "'a' is there already, in line 2"),
    ],
)
def test_an_error_names_file_line_and_key(text, line, says):
    with pytest.raises(InvalidRequest) as caught:
        parse_board(text, "boards/mine.yaml")
    assert str(caught.value).startswith(f"boards/mine.yaml:{line}: ")
    assert re.search(says, str(caught.value)), caught.value
