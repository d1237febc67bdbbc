"""Proves that what is read without PyYAML reads as PyYAML reads it, to the line, and what is so."""

from __future__ import annotations

import glob
import os

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.config import plain
from adapters.sim.board_file import SHIPPED


def shape(node):
    """Return all that adapters.config.yaml_node looks at."""
    value = node.value
    if node.id == "mapping":
        value = [(shape(key), shape(each)) for key, each in value]
    elif node.id == "sequence":
        value = [shape(each) for each in value]
    return node.id, value, node.start_mark.line, node.tag.endswith(":null")


def agree(text):
    """Whether it is plain; if so, PyYAML must agree."""
    found = plain.read_plain(text)
    if found is None:
        return False
    assert shape(found) == shape(yaml.compose(text, Loader=yaml.SafeLoader)), text
    return True


CONFIGURATION = """\
# of this machine
backend: sysfs   # as everywhere
tree: /

processors:
  m4:
    resource-table: refuse
    consoles: {/dev/ttyS1: 115200,/dev/ttyS2:  9600}
    poll-seconds: 0.1
  # the other one
  remoteproc1:
    size-limit: 4M
run-directory: ../run
"""

WRITTEN = [
    CONFIGURATION,
    "backend: sim\nboard: cortex-m3",
    "processors:\n- name: m3\n  options:\n  - a\n  - b\n  core: x\n-   name: m4\n    core: y\n",
    "  a: b\n  c:\n     - d\n",
    "a: b\na: c\n",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_is_plain(text):
    assert agree(text)


@pytest.mark.parametrize("name", ["cortex-m3", "cortex-m33", "riscv32"])
def test_simple_boards_are_plain(name):
    with open(os.path.join(SHIPPED, f"{name}.yaml"), encoding="utf-8") as file:
        assert agree(file.read())


@pytest.mark.parametrize("path", glob.glob(f"{SHIPPED}/*.yaml"))
def test_every_shipped_board_reads_alike(path):
    with open(path, encoding="utf-8") as file:
        agree(file.read())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "{}\n",
        "word\n",
        "a\n",
        "a:\n",
        "a: null\n",
        "a: ~\n",
        "a: 'b'\n",
        "a: &b c\n",
        "a: b\n c: d\n",
        "a: b\n  more\n",
        "a:\n    b: c\n  d: e\n",
        "a: b: c\n",
        "a:b\n",
        "- a\nb: c\n",
        "- - a\n",
        "-\n  a: b\n",
        "a: |\n  b\n",
        "a: [b]\n",
        "a: {b: c\n",
        "a: {b: {c: d}}\n",
        "a:\tb\n",
        "a: b\r\n",
        "---\na: b\n",
        "...\n",
        "a: b\n...\n",
        "? a\n: b\n",
        "<<: a\n",
        "a: \x00\n",
        f"{'a' * 1100}: b\n",
    ],
)
def test_all_else_is_left_to_pyyaml(text):
    assert plain.read_plain(text) is None


PIECES = ["a", "b1", "/x", ".", "0x1F", "- ", "-", ": ", ":", "\n", " ", "  ", "{", "}", ", ", ","]
PIECES += [" #", "#", "null", "~", "é", "'", '"', "&", "*", "[", "]", "|", "?", "---", "...", "\t"]
LINES = ["a:", "b: c", "- a", "- b: c", "- {a: b}", "c: {d: e, f: g}", "- ", "d", "# e", "", "f: #"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("a: b #c\n")
def test_any_text_reads_alike(text):
    agree(text)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(LINES)).map(lambda row: " " * row[0] + row[1]),
        max_size=7,
    ).map("\n".join)
)
def test_any_blocks_read_alike(text):
    agree(text)
